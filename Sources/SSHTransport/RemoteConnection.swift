/// A logged-in connection to one host, over either transport.
package protocol RemoteConnection: Sendable {
    associatedtype Command: RemoteCommand

    var target: SSHTarget { get }

    /// Starts a command through the account's shell; at most ten may be open at a time.
    ///
    /// - Throws: `execRefused` if it certainly did not start. After `execTimedOut`, `connectionLost` and `cancelled` it
    ///   is unknown whether it runs.
    func execute(_ command: String) async throws(SSHError) -> Command

    /// Ends the connection. Commands that run there are not stopped.
    func close() async
}

/// One command on a connection. Dropping the last reference closes it. The connection lives at least as long as its
/// commands.
package protocol RemoteCommand: Sendable {
    /// Sends bytes to the command's standard input; returns when they were passed on.
    ///
    /// That is back-pressure, not proof of arrival. Cancelling closes the command, because half of the bytes may have
    /// been sent. Large pieces are much faster than small ones.
    func write(_ bytes: [UInt8]) async throws(SSHError)

    /// Ends the command's standard input, after everything written before.
    func sendEOF()

    /// Waits for the next bytes of standard output; nil at its end.
    ///
    /// One reader at a time. Output that arrived before a failure is returned before the failure is thrown.
    /// - Throws: `progressTimedOut` if no output came and no input was accepted for `timeout`. The command stays open
    ///   and can be read again.
    func read(timeout: Duration?) async throws(SSHError) -> [UInt8]?

    /// Waits until the command has ended, and returns how. Read the output first.
    func exit() async throws(SSHError) -> SSHExit

    /// The last 8 KiB of the command's standard error so far.
    func standardErrorTail() async -> [UInt8]

    /// Abandons the command; it may continue to run on the host.
    func close()
}

/// The result of a finished command.
package struct SSHOutput: Sendable, Hashable {
    package let standardOutput: [UInt8]
    /// The last 8 KiB.
    package let standardErrorTail: [UInt8]
    package let exit: SSHExit
}

extension RemoteConnection {
    /// Runs a command to its end, with bytes for its input and a limit on its output.
    ///
    /// - Parameters:
    ///   - command: one line for the account's shell.
    ///   - input: its whole standard input.
    ///   - limitBytes: more output than this fails with `limitExceeded` and closes the command.
    ///   - timeout: the longest silence, not the longest run; nil for no limit.
    package func run(
        _ command: String, input: [UInt8] = [], limitBytes: Int = 1024 * 1024, timeout: Duration? = nil
    ) async throws(SSHError) -> SSHOutput {
        let exec = try await execute(command)
        defer { exec.close() }
        async let written: SSHError? = exec.feed(input)
        do {
            var output: [UInt8] = []
            while let bytes = try await exec.read(timeout: timeout) {
                guard output.count + bytes.count <= limitBytes else {
                    throw target.error(.limitExceeded, detail: "the command wrote more than \(limitBytes) bytes")
                }
                output += bytes
            }
            let exit = try await exec.exit()
            let failure = await written
            if let failure, failure.code != .closed { throw failure }
            return SSHOutput(
                standardOutput: output, standardErrorTail: await exec.standardErrorTail(), exit: exit)
        } catch let error as SSHError {
            exec.close()
            _ = await written
            throw error
        } catch {
            throw target.error(.closed, cause: "\(error)")
        }
    }

    /// Feeds a file in large pieces to a command that stores it, such as `cat > FILE`; returns what the command
    /// printed.
    ///
    /// The result proves nothing about the file: verify its digest on the host, then rename it.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - command: one line for the account's shell, which reads the file from standard input.
    ///   - limitBytes: the limit on what the command prints.
    ///   - timeout: the longest time in which no input is accepted and no output printed.
    /// - Throws: `uploadTimedOut` after that time; `uploadFailed` with the host's own words if the command fails.
    package func upload(
        _ bytes: [UInt8], by command: String, limitBytes: Int = 1024 * 1024, timeout: Duration
    ) async throws(SSHError) -> SSHOutput {
        let output: SSHOutput
        do {
            output = try await run(command, input: bytes, limitBytes: limitBytes, timeout: timeout)
        } catch {
            guard error.code == .progressTimedOut else { throw error }
            throw target.error(.uploadTimedOut, detail: "for \(timeout)")
        }
        guard output.exit.status == 0, output.exit.signal == nil else {
            let words = output.exit.signal.map { "signal \($0)" } ?? "exit status \(output.exit.status)"
            throw target.error(.uploadFailed, detail: "\(words), \"\(printable(output.standardErrorTail))\"")
        }
        return output
    }
}

extension RemoteCommand {
    /// The next bytes, without a time limit; nil at the end.
    package func read() async throws(SSHError) -> [UInt8]? { try await read(timeout: nil) }

    /// Writes all input in pieces and ends it; returns the error instead of throwing it.
    fileprivate func feed(_ input: [UInt8]) async -> SSHError? {
        var rest = input[...]
        while !rest.isEmpty {
            let piece = rest.prefix(TransportLimits.uploadPieceBytes)
            rest = rest.dropFirst(piece.count)
            do throws(SSHError) { try await write([UInt8](piece)) } catch { return error }
        }
        sendEOF()
        return nil
    }
}
