import NIOCore

/// What the encrypted bytes of a session travel over: a socket, or a channel of another session.
///
/// Used on the session's loop only. What happens on it reaches the driver by `wireOpened`, `receive`, `advance`, `wireEnded`
/// and `wireGone`.
protocol SessionWire: AnyObject {
    /// Whether it stands: neither before it opened nor after it ended.
    var isActive: Bool { get }
    /// Whether bytes leave fast enough for more of them to be made.
    var isWritable: Bool { get }
    func send(_ bytes: ByteBuffer)
    /// Goes on receiving, after the driver had too much to take more.
    func resume()
    /// Ends it, after what was sent.
    func close()
    /// Succeeds when nothing is left of it.
    var closed: EventLoopFuture<Void> { get }
}
