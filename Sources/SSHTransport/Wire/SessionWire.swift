import NIOCore

/// What the encrypted bytes of a session travel over: a socket, or a channel of another session.
///
/// Used on the session's loop only. What happens on it reaches its ``WireOwner``.
protocol SessionWire: AnyObject {
    /// Begins to connect; called once.
    func connect()
    /// Whether it stands: neither before it opened nor after it ended.
    var isActive: Bool { get }
    /// Whether bytes leave fast enough for more of them to be made.
    var isWritable: Bool { get }
    func send(_ bytes: ByteBuffer)
    /// Goes on receiving, after its owner had too much to take more.
    func resume()
    /// Ends it, after what was sent.
    func close()
    /// Succeeds when nothing is left of it.
    var closed: EventLoopFuture<Void> { get }
}

/// A session as its wire sees it.
protocol WireOwner: AnyObject {
    var target: SSHTarget { get }
    var loop: any EventLoop { get }
    /// Whether it is over: nothing is connected for it any more.
    var isClosed: Bool { get }
    /// Whether it has more bytes than it can take in for now.
    var hasTooMuch: Bool { get }
    /// Whether output of a command has arrived.
    var heardOutput: Bool { get }

    func nameResolved()
    func wireOpened()
    /// Takes bytes in; ``advance()`` uses them.
    func receive(_ received: ByteBuffer)
    func advance()
    /// The other side has ended it.
    func wireEnded()
    func wireBroke(_ detail: String?, cause: String)
    /// Nothing is left of it.
    func wireGone()
    func fail(_ code: SSHError.Code, detail: String?, cause: String?)
}

/// The way to a host: makes a session's wire.
protocol SessionRoute: Sendable {
    /// Whether a name has to be resolved first.
    var resolvesName: Bool { get }
    /// On the owner's loop.
    func wire(of owner: any WireOwner) -> any SessionWire
}
