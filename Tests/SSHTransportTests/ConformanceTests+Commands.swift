import Crypto
import Foundation
import Glibc
import SafeText
import TestSupport
import Testing

@testable import SSHTransport

/// Commands on a connection.
extension ConformanceTests {
    private func number(_ bytes: [UInt8]?) throws -> pid_t {
        let text = String(decoding: try #require(bytes), as: UTF8.self)
        return try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    @Test("input, output, standard error and status of a command", arguments: Transport.allCases)
    func command(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let output = try await connection.run("cat; echo problem >&2; exit 3", input: Array("hello".utf8))
            #expect(output.standardOutput == Array("hello".utf8))
            #expect(output.standardErrorTail == Array("problem\n".utf8))
            #expect(output.exit == SSHExit(status: 3, signal: nil))
        }
    }

    @Test("a conversation of lines, with another command beside it", arguments: Transport.allCases)
    func conversation(transport: Transport) async throws {
        try await withConnection(transport) { connection, server in
            let talk = try await connection.execute("exec cat")
            for number in 1...50 {
                let line = Array("line \(number)\n".utf8)
                try await talk.write(line)
                #expect(try await talk.read() == line)
            }
            #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
            talk.sendEOF()
            #expect(try await talk.read() == nil)
            #expect(try await talk.exit() == SSHExit(status: 0, signal: nil))
            #expect(server.log.matches(of: /Accepted publickey/).count == 1)
        }
    }

    @Test("50 MB of output pass the window completely", arguments: Transport.allCases)
    func largeOutput(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let exec = try await connection.execute("head -c 50000000 /dev/zero")
            var count = 0
            var largest = 0
            while let bytes = try await exec.read(timeout: .seconds(20)) {
                count += bytes.count
                largest = max(largest, bytes.count)
            }
            #expect(count == 50_000_000)
            #expect(largest <= 4 * TransportLimits.waitingOutputBytes)
            #expect(try await exec.exit() == SSHExit(status: 0, signal: nil))
        }
    }

    @Test("output for a reader that stops is bounded, and other commands go on", arguments: Transport.allCases)
    func stoppedReader(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let exec = try await connection.execute("head -c 30000000 /dev/zero; echo done >&2")
            for round in 0..<100 {
                #expect(try await connection.run("echo \(round)").standardOutput == Array("\(round)\n".utf8))
            }
            var count = 0
            while let bytes = try await exec.read(timeout: .seconds(20)) {
                #expect(bytes.count <= 4 * TransportLimits.waitingOutputBytes)
                count += bytes.count
            }
            #expect(count == 30_000_000)
            #expect(await exec.standardErrorTail() == Array("done\n".utf8))
        }
    }

    @Test("an upload of 16 MB arrives byte for byte", arguments: Transport.allCases, ["", "RekeyLimit 1M\n"])
    func upload(transport: Transport, config: String) async throws {
        try await withConnection(transport, config: config) { connection, _ in
            let folder = try temporaryFolder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let path = "\(folder)/it's here"
            let block = (0..<65_536).map { _ in UInt8.random(in: 0...255) }
            let bytes = [[UInt8]](repeating: block, count: 256).enumerated().flatMap { [UInt8($0)] + $1.dropFirst() }
            _ = try await connection.upload(bytes, by: "cat > \(ShellText.word(path))", timeout: .seconds(20))
            let output = try await connection.run("sha256sum < \(ShellText.word(path))").standardOutput
            let expected = SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
            #expect(String(decoding: output, as: UTF8.self).prefix(64) == expected)
        }
    }

    @Test("output survives key exchanges that the server starts", arguments: Transport.allCases)
    func rekey(transport: Transport) async throws {
        try await withConnection(transport, config: "RekeyLimit 1M\n") { connection, _ in
            let output = try await connection.run("head -c 20000000 /dev/zero", limitBytes: 20_000_000)
            #expect(output.standardOutput.count == 20_000_000)
        }
    }

    @Test("both directions at once survive key exchanges that the server starts", arguments: Transport.allCases)
    func rekeyBothWays(transport: Transport) async throws {
        try await withConnection(transport, config: "RekeyLimit 1M\n") { connection, _ in
            let input = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            let output = try await connection.run("cat", input: input, limitBytes: input.count, timeout: .seconds(20))
            #expect(output.standardOutput == input)
        }
    }

    @Test("a failed upload reports the host's own error message", arguments: Transport.allCases)
    func failedUpload(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let error = try await failure {
                _ = try await connection.upload([1], by: "cat > /no/such/folder/file", timeout: .seconds(20))
            }
            #expect(error.code == .uploadFailed)
            #expect(error.message.contains("/no/such/folder/file"))
        }
    }

    @Test("two commands run at the same time on one connection", arguments: Transport.allCases)
    func twoCommands(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let first = try await connection.execute("cat")
            let second = try await connection.execute("cat")
            for round in 0..<50 {
                try await first.write(Array("a\(round)".utf8))
                try await second.write(Array("b\(round)".utf8))
                #expect(try await second.read(timeout: .seconds(20)) == Array("b\(round)".utf8))
                #expect(try await first.read(timeout: .seconds(20)) == Array("a\(round)".utf8))
            }
            first.sendEOF()
            #expect(try await first.read(timeout: .seconds(20)) == nil)
            second.sendEOF()
            #expect(try await second.read(timeout: .seconds(20)) == nil)
        }
    }

    @Test("ten commands may be open, the eleventh is refused until one ends", arguments: Transport.allCases)
    func commandLimit(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            var execs: [any RemoteCommand] = []
            for _ in 0..<TransportLimits.execCount { execs.append(try await connection.execute("cat")) }
            let error = try await failure { _ = try await connection.execute("true") }
            #expect(error.code == .limitExceeded)
            execs.removeLast().sendEOF()
            try await eventually("a slot is free") { (try? await connection.run("true")) != nil }
        }
    }

    @Test("a session limit of the server is a refused command, and the others go on", arguments: Transport.allCases)
    func serverLimit(transport: Transport) async throws {
        try await withConnection(transport, config: "MaxSessions 1\n") { connection, _ in
            let exec = try await connection.execute("cat")
            let error = try await failure { _ = try await connection.execute("true") }
            #expect(error.code == .execRefused)
            try await exec.write([42])
            #expect(try await exec.read(timeout: .seconds(20)) == [42])
        }
    }

    @Test("silence exceeds the progress deadline, and the command can still be read", arguments: Transport.allCases)
    func progressTimedOut(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let exec = try await connection.execute("cat")
            let error = try await failure { _ = try await exec.read(timeout: .milliseconds(100)) }
            #expect(error.code == .progressTimedOut)
            try await exec.write([7])
            #expect(try await exec.read(timeout: .seconds(20)) == [7])
        }
    }

    @Test(
        "a server that dies while we read is a lost connection, after its last data", arguments: Transport.allCases)
    func serverKilled(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let exec = try await connection.execute("echo $PPID; exec cat")
            let server = try number(try await exec.read(timeout: .seconds(20)))
            let reading = Task { try await exec.read() }
            kill(server, SIGKILL)
            let error = try await failure { _ = try await reading.value }
            #expect(error.code == .connectionLost)
            let later = try await failure { _ = try await connection.execute("true") }
            #expect(later.code == .connectionLost)
            let exit = try await failure { _ = try await exec.exit() }
            #expect(exit.code == .connectionLost)
        }
    }

    @Test("a signal is reported instead of the status 0", arguments: Transport.allCases)
    func signalled(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let output = try await connection.run("kill -9 $$")
            let name = transport == .libssh2 ? "KILL" : SSHExit.unnamedSignal
            #expect(output.exit == SSHExit(status: 0, signal: name))
        }
    }

    @Test("each exit status is reported as the command's own", arguments: Transport.allCases, [0, 1, 127, 254, 255])
    func status(transport: Transport, status: Int) async throws {
        try await withConnection(transport) { connection, _ in
            let output = try await connection.run("printf 'Connection refused' >&2; exit \(status)")
            #expect(output.exit == SSHExit(status: status, signal: nil))
            #expect(output.standardErrorTail == Array("Connection refused".utf8))
        }
    }

    @Test("a cancelled read loses no byte for the next reader", arguments: Transport.allCases)
    func cancelledRead(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let exec = try await connection.execute("cat")
            let reading = Task { try await exec.read() }
            reading.cancel()
            let error = try await failure { _ = try await reading.value }
            #expect(error.code == .cancelled)
            try await exec.write([9])
            #expect(try await exec.read(timeout: .seconds(20)) == [9])
        }
    }

    @Test("a cancelled write of a stuck command closes that command only", arguments: Transport.allCases)
    func cancelledWrite(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let exec = try await connection.execute("sleep 60")
            let writing = Task { try await exec.write([UInt8](repeating: 0, count: 8 << 20)) }
            let error = try await failure { _ = try await exec.read(timeout: .seconds(1)) }
            #expect(error.code == .progressTimedOut)
            writing.cancel()
            #expect(try await failure { _ = try await writing.value }.code == .cancelled)
            #expect(try await failure { _ = try await exec.write([1]) }.code == .cancelled)
            #expect(try await connection.run("echo on").standardOutput == Array("on\n".utf8))
        }
    }

    @Test("output above its limit ends the command", arguments: Transport.allCases)
    func outputLimit(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let error = try await failure { _ = try await connection.run("yes", limitBytes: 100_000) }
            #expect(error.code == .limitExceeded)
        }
    }

    @Test("the end of a long standard error is kept, and it does not block the command", arguments: Transport.allCases)
    func errorTail(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let output = try await connection.run("seq 1 200000 >&2; echo over")
            #expect(output.standardOutput == Array("over\n".utf8))
            #expect(output.standardErrorTail.count == TransportLimits.errorTailBytes)
            #expect(String(decoding: output.standardErrorTail, as: UTF8.self).hasSuffix("\n200000\n"))
        }
    }

    @Test("requests after closing report that the connection is closed", arguments: Transport.allCases)
    func closed(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let exec = try await connection.execute("cat")
            await connection.close()
            #expect(try await failure { _ = try await exec.read() }.code == .closed)
            #expect(try await failure { _ = try await connection.execute("true") }.code == .closed)
        }
    }
}
