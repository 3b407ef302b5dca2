import CLibSSH2
import NIOCore

/// The commands and tunnels of a session. Each pass lets each of them make progress. Passes repeat until none can,
/// because one call into libssh2 may queue packets for a command that already had its turn.
extension SSHSession {
    func advanceExecs(_ session: LibSSH2Session) {
        var progressed = true
        while progressed, lifecycle.work == .execs {
            let unread = session.inbound.readableBytes
            progressed = false
            for exec in execs where lifecycle.work == .execs {
                if advance(exec, session) { progressed = true }
            }
            execs.removeAll { $0.lifecycle.isEnded }
            if session.inbound.readableBytes < unread { progressed = true }
        }
    }

    private func advance(_ exec: ExecChannel, _ session: LibSSH2Session) -> Bool {
        if exec.lifecycle.isQueued, !execs.contains(where: { $0.lifecycle.occupiesOpening }) {
            exec.lifecycle.turnCame()
        }
        switch exec.lifecycle.work {
        case .nothing: return false
        case .open: return open(exec, session)
        case .request: return request(exec, session)
        case .stream: return stream(exec, session)
        case .free: return free(exec, session)
        }
    }

    private func open(_ exec: ExecChannel, _ session: LibSSH2Session) -> Bool {
        switch session.openChannel(for: exec.purpose) {
        case .success(nil): return false
        case .success(let channel):
            exec.channel = channel
            perform(exec.lifecycle.channelOpened(), on: exec)
        case .failure(let failure) where failure.number == LIBSSH2_ERROR_CHANNEL_FAILURE:
            perform(exec.lifecycle.openRefused(), on: exec, cause: "libssh2 \(failure.number): \(failure.words)")
        case .failure(let failure): sessionBroke(failure, session)
        }
        exec.turn?.openingEnded()
        exec.turn = nil
        return true
    }

    private func request(_ exec: ExecChannel, _ session: LibSSH2Session) -> Bool {
        guard let channel = exec.channel, case .command(let command) = exec.purpose else { return false }
        switch session.startExec(command, on: channel) {
        case .again: return false
        case .done: perform(exec.lifecycle.requestAccepted(), on: exec)
        case .failed(let failure) where failure.number == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED:
            perform(exec.lifecycle.requestRefused(), on: exec, cause: "libssh2 \(failure.number): \(failure.words)")
        case .failed(let failure): sessionBroke(failure, session)
        }
        return true
    }

    private func free(_ exec: ExecChannel, _ session: LibSSH2Session) -> Bool {
        guard let channel = exec.channel, session.free(channel) != .again else { return exec.channel == nil }
        exec.channel = nil
        exec.lifecycle.freed()
        return true
    }

    // MARK: Streaming

    private func stream(_ exec: ExecChannel, _ session: LibSSH2Session) -> Bool {
        guard let channel = exec.channel else { return false }
        var progressed = writeInput(exec, channel, session)
        if readOutput(exec, channel, session) { progressed = true }
        guard exec.lifecycle.isRunning else { return true }
        if !exec.outputEnded, session.isAtEnd(channel) {
            exec.outputEnded = true
            progressed = true
        }
        exec.deliver()
        if exec.outputEnded, session.waitClosed(channel) != .again {
            remoteClosed(exec, session.exit(of: channel))
            progressed = true
        }
        return progressed
    }

    private func remoteClosed(_ exec: ExecChannel, _ exit: SSHExit) {
        exec.exit = exit
        for promise in exec.exitPromises { promise.succeed(exit) }
        exec.exitPromises = []
        exec.lifecycle.remoteClosed()
        exec.failWrites(target.error(.closed, detail: "the command has ended"))
    }

    private func writeInput(_ exec: ExecChannel, _ channel: OpaquePointer, _ session: LibSSH2Session) -> Bool {
        var progressed = false
        while !exec.writes.isEmpty {
            guard session.outbound.readableBytes < TransportLimits.unsentBytes, wire?.isWritable == true
            else { return progressed }
            let write = exec.writes[0]
            let result = write.bytes.withUnsafeBytes { bytes in
                let end = min(bytes.count, write.offset + TransportLimits.writeBytes)
                return session.write(channel, UnsafeRawBufferPointer(rebasing: bytes[write.offset..<end]))
            }
            switch result {
            case .success(0): return progressed
            case .success(let count): accept(count, exec)
            case .failure(let failure) where failure.isChannelClosed:
                exec.failWrites(target.error(.closed, detail: "the command has ended"))
            case .failure(let failure):
                sessionBroke(failure, session)
                return true
            }
            progressed = true
        }
        guard exec.wantsEOF, !exec.sentEOF, session.sendEOF(channel) != .again else { return progressed }
        exec.sentEOF = true
        return true
    }

    private func accept(_ count: Int, _ exec: ExecChannel) {
        exec.waitingInputBytes -= count
        exec.inputTaken = .now()
        exec.writes[0].offset += count
        guard exec.writes[0].offset == exec.writes[0].bytes.count else { return }
        exec.writes.removeFirst().promise.succeed()
    }

    /// Starts only below the limit, and then takes everything available. libssh2 widens the window on every read, so
    /// its own queue stays bounded only if a started read empties it.
    private func readOutput(_ exec: ExecChannel, _ channel: OpaquePointer, _ session: LibSSH2Session) -> Bool {
        guard exec.output.count < TransportLimits.waitingOutputBytes else { return false }
        let output = drain(session, channel, stream: 0) { exec.output.append(contentsOf: $0) }
        let errors = drain(session, channel, stream: SSH_EXTENDED_DATA_STDERR) { exec.keepErrorTail($0) }
        if output { heardOutput = true }
        return output || errors
    }

    private func drain(
        _ session: LibSSH2Session, _ channel: OpaquePointer, stream: Int32, _ use: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: TransportLimits.readBytes, alignment: 1) { buffer in
            var progressed = false
            while lifecycle.work == .execs {
                switch session.read(channel, stream: stream, into: buffer) {
                case .success(0): return progressed
                case .success(let count): use(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                case .failure(let failure): sessionBroke(failure, session)
                }
                progressed = true
            }
            return progressed
        }
    }

    private func sessionBroke(_ failure: LibSSH2Session.Failure, _ session: LibSSH2Session) {
        fail(
            .connectionLost, detail: session.disconnectReason, cause: "libssh2 \(failure.number): \(failure.words)")
    }

    // MARK: Ending

    func perform(_ action: ExecLifecycle.Action, on exec: ExecChannel, detail: String? = nil, cause: String? = nil) {
        switch action {
        case .none: break
        case .announceStarted:
            exec.startDeadline?.cancel()
            exec.started?.succeed(NIOLoopBound(exec, eventLoop: loop))
            exec.started = nil
        case .fail(let code): exec.end(target.error(code, detail: detail, cause: cause))
        }
    }

    func endExecs(_ error: SSHError) {
        for exec in execs {
            exec.channel = nil
            exec.turn = nil
            if exec.lifecycle.sessionEnded(error.code) != .none { exec.end(error) }
        }
        execs = []
    }
}

extension LibSSH2Session.Failure {
    /// The other side closed this channel; the session still works.
    var isChannelClosed: Bool { number == LIBSSH2_ERROR_CHANNEL_CLOSED || number == LIBSSH2_ERROR_CHANNEL_EOF_SENT }
}
