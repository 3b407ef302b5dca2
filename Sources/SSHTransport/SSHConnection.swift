import NIOCore

/// A logged-in connection to one host. Dropping the last reference closes it.
public final class SSHConnection: RemoteConnection {
    private let handle: DriverHandle
    public var target: SSHTarget { handle.target }
    var loop: any EventLoop { handle.loop }
    /// On the loop only.
    var driver: SessionDriver { handle.driver }
    /// Whether it may still be used, as far as this side knows.
    var isOpen: Bool { !handle.isOver }

    init(_ handle: DriverHandle) {
        self.handle = handle
    }

    deinit {
        handle.post { $0.close(nil) }
    }

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
    /// The signal that ended the command, without SIG, when the server said so; `unnamedSignal` when that is not passed on.
    public let signal: String?

    /// OpenSSH's client passes on neither which signal it was, nor that the server could not run the command at all.
    public static let unnamedSignal = "unnamed"

    public init(status: Int, signal: String?) {
        self.status = status
        self.signal = signal
    }
}

/// One command on a connection. Dropping the last reference closes its channel; the connection lives at least as
/// long as its commands.
public final class SSHExec: RemoteCommand {
    private let exec: NIOLoopBound<ExecChannel>
    private let handle: DriverHandle
    private let connection: SSHConnection

    init(_ exec: NIOLoopBound<ExecChannel>, _ handle: DriverHandle, connection: SSHConnection) {
        self.exec = exec
        self.handle = handle
        self.connection = connection
    }

    deinit {
        let exec = exec
        handle.post { $0.close(exec.value) }
    }

    public func write(_ bytes: [UInt8]) async throws(SSHError) {
        let exec = exec
        try await handle.request { driver, promise in
            driver.write(bytes, exec.value, promise)
        } withdraw: { driver, promise in
            driver.withdraw(promise, exec.value)
        }
    }

    public func sendEOF() {
        let exec = exec
        handle.post { $0.sendEOF(exec.value) }
    }

    public func read(timeout: Duration?) async throws(SSHError) -> [UInt8]? {
        let exec = exec
        return try await handle.request { driver, promise in
            driver.read(exec.value, timeout: timeout, promise)
        } withdraw: { driver, promise in
            driver.withdraw(promise, exec.value)
        }
    }

    public func exit() async throws(SSHError) -> SSHExit {
        let exec = exec
        return try await handle.request { driver, promise in
            driver.exit(exec.value, promise)
        } withdraw: { driver, promise in
            driver.withdraw(promise, exec.value)
        }
    }

    public func standardErrorTail() async -> [UInt8] {
        let exec = exec
        return (try? await handle.loop.submit { exec.value.errorTail }.get()) ?? []
    }

    public func close() {
        let exec = exec
        handle.post { $0.close(exec.value) }
    }
}
