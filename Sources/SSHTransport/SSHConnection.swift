import NIOCore

/// A logged-in connection to one host. Dropping the last reference closes it.
public final class SSHConnection: Sendable {
    private let handle: DriverHandle
    var target: SSHTarget { handle.target }

    init(_ handle: DriverHandle) {
        self.handle = handle
    }

    deinit {
        handle.post { $0.close(nil) }
    }

    /// Starts a command through the account's shell; at most ten may be open at a time.
    ///
    /// - Throws: `execRefused` when it certainly did not start. After `execTimedOut`, `connectionLost` and
    ///   `cancelled` it is unknown whether it runs.
    public func execute(_ command: String) async throws(SSHError) -> SSHExec {
        let exec = try await handle.request { driver, promise in
            driver.execute(command, promise)
        } withdraw: { driver, promise in
            driver.withdraw(promise)
        }
        return SSHExec(exec, handle, connection: self)
    }

    /// Says goodbye to the server and closes the socket; commands that run there are not told to stop.
    public func close() async {
        guard !handle.isOver else { return }
        let promise = handle.loop.makePromise(of: Void.self)
        handle.loop.execute { [handle] in handle.driver.close(promise) }
        try? await promise.futureResult.get()
    }
}

/// How a command ended, as far as libssh2 knows.
public struct SSHExit: Sendable, Hashable {
    /// Advisory: 0 also when the server sent no status at all, as after a signal or the server's own death. An
    /// outcome that matters must be stated in the command's output.
    public let status: Int
    /// The signal that ended the command, without SIG, when the server said so.
    public let signal: String?

    public init(status: Int, signal: String?) {
        self.status = status
        self.signal = signal
    }
}

/// One command on a connection. Dropping the last reference closes its channel; the connection lives at least as
/// long as its commands.
public final class SSHExec: Sendable {
    private let exec: NIOLoopBound<ExecChannel>
    private let handle: DriverHandle
    private let connection: SSHConnection

    init(_ exec: NIOLoopBound<ExecChannel>, _ handle: DriverHandle, connection: SSHConnection) {
        self.exec = exec
        self.handle = handle
        self.connection = connection
    }

    func error(_ code: SSHError.Code, detail: String?, cause: String? = nil) -> SSHError {
        connection.target.error(code, detail: detail, cause: cause)
    }

    deinit {
        let exec = exec
        handle.post { $0.close(exec.value) }
    }

    /// Sends bytes to the command's standard input; returns when the connection has taken all of them.
    ///
    /// That is back-pressure, no proof of arrival. Cancelling closes the command, because half of the bytes may be
    /// gone. Large pieces are much faster than small ones.
    public func write(_ bytes: [UInt8]) async throws(SSHError) {
        let exec = exec
        try await handle.request { driver, promise in
            driver.write(bytes, exec.value, promise)
        } withdraw: { driver, promise in
            driver.withdraw(promise, exec.value)
        }
    }

    /// Ends the command's standard input after what was written before.
    public func sendEOF() {
        let exec = exec
        handle.post { $0.sendEOF(exec.value) }
    }

    /// Waits for the next bytes of standard output; nil at its end.
    ///
    /// One reader at a time. Output that arrived before a failure is handed out before the failure is thrown.
    /// - Throws: `progressTimedOut` when for `timeout` nothing came and no input was taken; the command stays open and
    ///   may be read again.
    public func read(timeout: Duration? = nil) async throws(SSHError) -> [UInt8]? {
        let exec = exec
        return try await handle.request { driver, promise in
            driver.read(exec.value, timeout: timeout, promise)
        } withdraw: { driver, promise in
            driver.withdraw(promise, exec.value)
        }
    }

    /// Waits until the server has closed the channel, and says how the command ended; read the output first.
    public func exit() async throws(SSHError) -> SSHExit {
        let exec = exec
        return try await handle.request { driver, promise in
            driver.exit(exec.value, promise)
        } withdraw: { driver, promise in
            driver.withdraw(promise, exec.value)
        }
    }

    /// The last 8 KiB of the command's standard error so far.
    public func standardErrorTail() async -> [UInt8] {
        let exec = exec
        return (try? await handle.loop.submit { exec.value.errorTail }.get()) ?? []
    }

    /// Gives the channel back; the command itself may run on.
    public func close() {
        let exec = exec
        handle.post { $0.close(exec.value) }
    }
}
