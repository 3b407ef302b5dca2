import NIOCore

/// A logged-in connection to one host. Dropping the last reference closes it.
package final class SSHConnection: RemoteConnection {
    private let handle: SessionHandle
    package var target: SSHTarget { handle.target }
    var loop: any EventLoop { handle.loop }
    /// On the loop only.
    var session: SSHSession { handle.session }
    /// Whether it can still be used, as far as this side knows.
    var isOpen: Bool { !handle.isOver }

    init(_ handle: SessionHandle) {
        self.handle = handle
    }

    deinit {
        handle.post { $0.close(nil) }
    }

    package func execute(_ command: String) async throws(SSHError) -> SSHExec {
        let exec = try await handle.request { session, promise in
            session.execute(command, promise)
        } withdraw: { session, promise in
            session.withdraw(promise)
        }
        return SSHExec(exec, handle, connection: self)
    }

    /// Sends a disconnect to the server and closes the socket. Commands that run there are not stopped.
    package func close() async {
        guard !handle.isOver else { return }
        let promise = handle.loop.makePromise(of: Void.self)
        handle.loop.execute { [handle] in handle.session.close(promise) }
        try? await promise.futureResult.get()
    }
}

/// One command on a connection. Dropping the last reference closes its channel. The connection lives at least as long
/// as its commands.
package final class SSHExec: RemoteCommand {
    private let exec: NIOLoopBound<ExecChannel>
    private let handle: SessionHandle
    private let connection: SSHConnection

    init(_ exec: NIOLoopBound<ExecChannel>, _ handle: SessionHandle, connection: SSHConnection) {
        self.exec = exec
        self.handle = handle
        self.connection = connection
    }

    deinit {
        let exec = exec
        handle.post { $0.close(exec.value) }
    }

    package func write(_ bytes: [UInt8]) async throws(SSHError) {
        let exec = exec
        try await handle.request { session, promise in
            session.write(bytes, exec.value, promise)
        } withdraw: { session, promise in
            session.withdraw(promise, exec.value)
        }
    }

    package func sendEOF() {
        let exec = exec
        handle.post { $0.sendEOF(exec.value) }
    }

    package func read(timeout: Duration?) async throws(SSHError) -> [UInt8]? {
        let exec = exec
        return try await handle.request { session, promise in
            session.read(exec.value, timeout: timeout, promise)
        } withdraw: { session, promise in
            session.withdraw(promise, exec.value)
        }
    }

    package func exit() async throws(SSHError) -> SSHExit {
        let exec = exec
        return try await handle.request { session, promise in
            session.exit(exec.value, promise)
        } withdraw: { session, promise in
            session.withdraw(promise, exec.value)
        }
    }

    package func standardErrorTail() async -> [UInt8] {
        let exec = exec
        return (try? await handle.loop.submit { exec.value.errorTail }.get()) ?? []
    }

    package func close() {
        let exec = exec
        handle.post { $0.close(exec.value) }
    }
}
