import NIOCore

/// The requests that the handles make to a session, on its loop.
extension SSHSession {
    func execute(_ command: String, _ promise: EventLoopPromise<NIOLoopBound<ExecChannel>>) {
        if let ending { return promise.fail(ending) }
        guard execs.count(where: \.isCommand) < TransportLimits.execCount else {
            return promise.fail(
                target.error(.limitExceeded, detail: "\(TransportLimits.execCount) commands are open on it"))
        }
        let exec = ExecChannel(.command(command))
        exec.started = promise
        exec.startDeadline = loop.assumeIsolated().scheduleTask(in: TimeAmount(target.deadlines.exec)) {
            self.perform(exec.lifecycle.deadlinePassed(), on: exec)
            self.advance()
        }
        execs.append(exec)
        advance()
    }

    /// Makes the server connect to an address and forward bytes in both directions.
    ///
    /// - Parameter turn: kept until libssh2 may open the session's next channel, even if this one was cancelled before.
    func openTunnel(
        to address: String, _ port: Int, _ turn: any OpeningTurn, _ promise: EventLoopPromise<NIOLoopBound<ExecChannel>>
    ) {
        if let ending { return promise.fail(ending) }
        let exec = ExecChannel(.tunnel(address: address, port: port))
        exec.started = promise
        exec.turn = turn
        execs.append(exec)
        advance()
    }

    func read(_ exec: ExecChannel, timeout: Duration?, _ promise: EventLoopPromise<[UInt8]?>) {
        guard exec.waitingRead == nil else {
            return promise.fail(target.error(.limitExceeded, detail: "another read waits for the same command"))
        }
        let wasFull = exec.output.count >= TransportLimits.waitingOutputBytes
        exec.waitingRead = ExecChannel.WaitingRead(promise: promise)
        if let timeout { armRead(exec, timeout, in: TimeAmount(timeout)) }
        exec.deliver()
        if wasFull { advance() }
    }

    /// Input accepted meanwhile also counts as progress and moves the deadline.
    private func armRead(_ exec: ExecChannel, _ timeout: Duration, in delay: TimeAmount) {
        exec.waitingRead?.deadline = loop.assumeIsolated().scheduleTask(in: delay) {
            let silence = NIODeadline.now() - exec.inputTaken
            if silence < TimeAmount(timeout) {
                return self.armRead(exec, timeout, in: TimeAmount(timeout) - silence)
            }
            exec.waitingRead?.promise.fail(self.target.error(.progressTimedOut, detail: "for \(timeout)"))
            exec.waitingRead = nil
        }
    }

    func write(_ bytes: [UInt8], _ exec: ExecChannel, _ promise: EventLoopPromise<Void>) {
        if let failure = exec.failure { return promise.fail(failure) }
        guard exec.lifecycle.isRunning, !exec.wantsEOF else {
            return promise.fail(target.error(.closed, detail: "the command's input has ended"))
        }
        guard exec.waitingInputBytes + bytes.count <= TransportLimits.waitingInputBytes else {
            return promise.fail(
                target.error(
                    .limitExceeded, detail: "\(exec.waitingInputBytes) bytes of input wait for the same command"))
        }
        guard !bytes.isEmpty else { return promise.succeed() }
        exec.waitingInputBytes += bytes.count
        exec.writes.append(ExecChannel.WaitingWrite(bytes: bytes, promise: promise))
        advance()
    }

    func sendEOF(_ exec: ExecChannel) {
        exec.wantsEOF = true
        advance()
    }

    func exit(_ exec: ExecChannel, _ promise: EventLoopPromise<SSHExit>) {
        if let exit = exec.exit {
            promise.succeed(exit)
        } else if let failure = exec.failure {
            promise.fail(failure)
        } else {
            exec.exitPromises.append(promise)
        }
    }

    func close(_ exec: ExecChannel, _ code: SSHError.Code = .closed) {
        perform(exec.lifecycle.closeRequested(code), on: exec, detail: "the command was closed")
        exec.output = []
        advance()
    }

    /// Cancels what a cancelled task waits for; the caller completes `promise`.
    ///
    /// A half-written input cannot be undone, so a cancelled write closes its command, and so does a cancelled start.
    func withdraw<Value>(_ promise: EventLoopPromise<Value>, _ exec: ExecChannel? = nil) {
        let future: AnyObject = promise.futureResult
        if let exec {
            if exec.waitingRead?.promise.futureResult === future {
                exec.waitingRead?.deadline?.cancel()
                exec.waitingRead = nil
            }
            exec.exitPromises.removeAll { $0.futureResult === future }
            if exec.writes.contains(where: { $0.promise.futureResult === future }) { close(exec, .cancelled) }
        }
        if let starting = execs.first(where: { $0.started?.futureResult === future }) { close(starting, .cancelled) }
    }
}
