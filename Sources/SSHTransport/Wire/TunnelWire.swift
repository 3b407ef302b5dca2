import NIOCore
import SafeText

/// A session's connection through a jump host: a channel of the jump host's own session, on the same loop.
final class TunnelWire: SessionWire {
    private let owner: any WireOwner
    private let outer: SSHSession
    /// Keeps the jump host's connection open for as long as this one needs it.
    private var turn: TunnelTurn?
    private let jumpName: String
    private var opening: EventLoopPromise<NIOLoopBound<ExecChannel>>?
    private var tunnel: ExecChannel?
    private var isHeld = false
    private var unsentBytes = 0
    private var mustClose = false
    private let gone: EventLoopPromise<Void>

    init(owner: any WireOwner, turn: TunnelTurn) {
        self.owner = owner
        self.turn = turn
        jumpName = printable(turn.connection.target.host.utf8)
        outer = turn.connection.session
        gone = owner.loop.makePromise()
    }

    func connect() {
        guard let turn else { return }
        let opening = owner.loop.makePromise(of: NIOLoopBound<ExecChannel>.self)
        self.opening = opening
        outer.openTunnel(to: owner.target.address, owner.target.port, turn, opening)
        opening.futureResult.assumeIsolated().whenComplete { result in
            self.opening = nil
            switch result {
            case .success(let exec): self.opened(exec.value)
            case .failure(let error): self.refused(error)
            }
        }
    }

    private func opened(_ exec: ExecChannel) {
        tunnel = exec
        owner.wireOpened()
        receive()
    }

    private func refused(_ error: any Error) {
        guard let error = error as? SSHError, error.code == .execRefused else {
            owner.wireBroke("the connection to the jump host \(jumpName) ended", cause: "\(error)")
            return end()
        }
        let isForbidden = error.cause?.holds("prohibited") == true
        owner.fail(
            .unreachable,
            detail: isForbidden
                ? "the jump host \(jumpName) does not forward to it; see AllowTcpForwarding and PermitOpen in its sshd_config"
                : "the jump host \(jumpName) could not connect to it", cause: error.cause)
        end()
    }

    private func receive() {
        guard let tunnel, !mustClose else { return }
        guard !owner.hasTooMuch else {
            isHeld = true
            return
        }
        let bytes = owner.loop.makePromise(of: [UInt8]?.self)
        outer.read(tunnel, timeout: nil, bytes)
        bytes.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let bytes?):
                self.owner.receive(ByteBuffer(bytes: bytes))
                self.owner.advance()
                self.receive()
            case .success(nil): self.owner.wireEnded()
            case .failure(let error):
                self.owner.wireBroke(
                    "the connection to the jump host \(self.jumpName) ended", cause: "\(error)")
            }
        }
    }

    // MARK: The session's side

    var isActive: Bool { tunnel?.lifecycle.isRunning == true && !mustClose }
    var isWritable: Bool { unsentBytes < TransportLimits.unsentBytes }
    var closed: EventLoopFuture<Void> { gone.futureResult }

    func send(_ bytes: ByteBuffer) {
        guard let tunnel else { return }
        let count = bytes.readableBytes
        unsentBytes += count
        let sent = owner.loop.makePromise(of: Void.self)
        outer.write(Array(buffer: bytes), tunnel, sent)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            let wasFull = !self.isWritable
            self.unsentBytes -= count
            if self.mustClose {
                self.finish()
            } else if wasFull, self.isWritable {
                self.owner.advance()
            }
        }
    }

    func resume() {
        guard isHeld else { return }
        isHeld = false
        receive()
    }

    func close() {
        mustClose = true
        if let opening {
            turn?.givenUp()
            outer.withdraw(opening)
        }
        finish()
    }

    /// Closes the channel once everything was passed on.
    private func finish() {
        guard let tunnel, unsentBytes == 0 else { return }
        outer.close(tunnel)
        self.tunnel = nil
        end()
    }

    private func end() {
        turn = nil
        owner.wireGone()
        gone.succeed()
    }
}

/// A connection through a jump host.
struct TunnelRoute: SessionRoute {
    let turn: TunnelTurn

    var resolvesName: Bool { false }

    func wire(of owner: any WireOwner) -> any SessionWire { TunnelWire(owner: owner, turn: turn) }
}
