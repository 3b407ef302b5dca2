/// What a finished command left behind.
public struct SSHOutput: Sendable, Hashable {
    public let standardOutput: [UInt8]
    /// The last 8 KiB.
    public let standardErrorTail: [UInt8]
    public let exit: SSHExit
}

extension SSHConnection {
    /// Runs a command to its end, with bytes for its input and a bound on its output.
    ///
    /// - Parameters:
    ///   - limitBytes: more output than this fails with `limitExceeded` and closes the command.
    ///   - timeout: the longest silence that is borne, not the longest run.
    public func run(
        _ command: String, input: [UInt8] = [], limitBytes: Int = 1024 * 1024, timeout: Duration? = nil
    ) async throws(SSHError) -> SSHOutput {
        let exec = try await execute(command)
        defer { exec.close() }
        async let written: SSHError? = exec.feed(input)
        do {
            var output: [UInt8] = []
            while let bytes = try await exec.read(timeout: timeout) {
                guard output.count + bytes.count <= limitBytes else {
                    throw exec.error(.limitExceeded, detail: "the command wrote more than \(limitBytes) bytes")
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
            throw exec.error(.closed, detail: nil, cause: "\(error)")
        }
    }

    /// Writes a file on the host by way of its `cat`, in large pieces.
    ///
    /// The result proves nothing about the file: verify its digest there, then rename it.
    /// - Parameter timeout: the longest time without the next piece being taken.
    /// - Throws: `uploadFailed` with the host's own words when `cat` complains.
    public func upload(_ bytes: [UInt8], to path: String, timeout: Duration? = nil) async throws(SSHError) {
        let output = try await run("cat > \(shellQuoted(path))", input: bytes, timeout: timeout)
        guard output.exit.status == 0, output.exit.signal == nil, output.standardErrorTail.isEmpty else {
            let words = output.exit.signal.map { "signal \($0)" } ?? "exit status \(output.exit.status)"
            throw target.error(
                .uploadFailed, detail: "\(path), \(words), \"\(printable(output.standardErrorTail))\"")
        }
    }
}

extension SSHExec {
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

/// One word for a POSIX shell, whatever characters it holds.
func shellQuoted(_ word: String) -> String {
    "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
