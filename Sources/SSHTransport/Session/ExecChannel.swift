import NIOCore

/// One command on a session, or one tunnel: its lifecycle, its buffers and its waiting callers. Used only on the
/// session's loop.
final class ExecChannel {
    enum Purpose {
        case command(String)
        /// A TCP connection that the server opens for this side (RFC 4254 section 7.2).
        case tunnel(address: String, port: Int)
    }

    struct WaitingRead {
        let promise: EventLoopPromise<[UInt8]?>
        var deadline: Scheduled<Void>?
    }

    struct WaitingWrite {
        let bytes: [UInt8]
        var offset = 0
        let promise: EventLoopPromise<Void>
    }

    let purpose: Purpose
    var lifecycle: ExecLifecycle
    /// libssh2's channel, from open to free.
    var channel: OpaquePointer?
    var started: EventLoopPromise<NIOLoopBound<ExecChannel>>?
    var startDeadline: Scheduled<Void>?
    /// A tunnel's turn among the channels of its session, held until libssh2 may open another.
    var turn: (any OpeningTurn)?

    /// Output that has not been read yet.
    var output: [UInt8] = []
    var outputEnded = false
    /// The last bytes of standard error.
    var errorTail: [UInt8] = []
    var waitingRead: WaitingRead?

    var writes: [WaitingWrite] = []
    var waitingInputBytes = 0
    /// When the connection last accepted input.
    var inputTaken = NIODeadline.distantPast
    var wantsEOF = false
    var sentEOF = false

    var exit: SSHExit?
    var exitPromises: [EventLoopPromise<SSHExit>] = []
    /// Why no more output will come. Output received before is still delivered.
    var failure: SSHError?

    init(_ purpose: Purpose) {
        self.purpose = purpose
        lifecycle =
            switch purpose {
            case .command: ExecLifecycle()
            case .tunnel: ExecLifecycle(isTunnel: true)
            }
    }

    var isCommand: Bool {
        switch purpose {
        case .command: true
        case .tunnel: false
        }
    }

    func keepErrorTail(_ bytes: UnsafeRawBufferPointer) {
        errorTail.append(contentsOf: bytes)
        let excess = errorTail.count - TransportLimits.errorTailBytes
        if excess > 0 { errorTail.removeFirst(excess) }
    }

    /// Delivers output to a waiting reader: bytes first, then the end, then the failure.
    func deliver() {
        guard let read = waitingRead, !output.isEmpty || outputEnded || failure != nil else { return }
        read.deadline?.cancel()
        // The reader may read again at once.
        waitingRead = nil
        if !output.isEmpty {
            read.promise.succeed(takeOutput())
        } else if outputEnded {
            read.promise.succeed(nil)
        } else if let failure {
            read.promise.fail(failure)
        }
    }

    func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// Completes all waiting callers. The first failure is kept.
    func end(_ error: SSHError) {
        if failure == nil { failure = error }
        startDeadline?.cancel()
        started?.fail(error)
        started = nil
        failWrites(error)
        for promise in exitPromises { promise.fail(error) }
        exitPromises = []
        deliver()
    }

    func failWrites(_ error: SSHError) {
        for write in writes { write.promise.fail(error) }
        writes = []
        waitingInputBytes = 0
    }
}

/// A turn among the callers that want a channel of one session: libssh2 opens channels one after the other.
protocol OpeningTurn: AnyObject, Sendable {
    /// The channel is open, or never will be.
    func openingEnded()
}
