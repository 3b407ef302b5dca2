import NIOCore

/// What carries the encrypted bytes of a session: a socket, or a channel of another session.
///
/// Used only on the session's loop. Its events go to its ``WireOwner``.
protocol SessionWire: AnyObject {
    /// Starts to connect; called once.
    func connect()
    /// Whether it is open: not before it opened and not after it ended.
    var isActive: Bool { get }
    /// Whether bytes leave fast enough to produce more.
    var isWritable: Bool { get }
    func send(_ bytes: ByteBuffer)
    /// Resumes receiving, after its owner had too much unread data.
    func resume()
    /// Closes it after everything sent before.
    func close()
    /// Succeeds when it is completely closed.
    var closed: EventLoopFuture<Void> { get }
}

/// A session from the point of view of its wire.
protocol WireOwner: AnyObject {
    var target: SSHTarget { get }
    var loop: any EventLoop { get }
    /// Whether it is over, so that nothing is connected for it any more.
    var isClosed: Bool { get }
    /// Whether it has more bytes than it can process for now.
    var hasTooMuch: Bool { get }
    /// Whether output of a command has arrived.
    var heardOutput: Bool { get }

    func nameResolved()
    func wireOpened()
    /// Stores received bytes; ``advance()`` uses them.
    func receive(_ received: ByteBuffer)
    func advance()
    /// The other side has closed it.
    func wireEnded()
    func wireBroke(_ detail: String?, cause: String)
    /// It is completely closed.
    func wireGone()
    func fail(_ code: SSHError.Code, detail: String?, cause: String?)
}

/// The route to a host: makes a session's wire.
protocol SessionRoute: Sendable {
    /// Whether a name must be resolved first.
    var resolvesName: Bool { get }
    /// On the owner's loop.
    func wire(of owner: any WireOwner) -> any SessionWire
}
