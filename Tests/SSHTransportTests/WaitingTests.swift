import Glibc
import Testing

@testable import SSHTransport

/// More of what both transports promise; these tests mostly wait for time to pass, so they do it at the same time.
@Suite("Both transports keep the same promises while time passes")
struct WaitingTests {
    @Test("input that a slow command takes piece by piece is progress", arguments: Transport.allCases)
    func slowUpload(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let command = "for i in 1 2 3 4; do head -c 1000000 > /dev/null; sleep 1.5; done; cat > /dev/null; echo ok"
            let input = [UInt8](repeating: 1, count: 8_000_000)
            let output = try await connection.run(command, input: input, timeout: .seconds(5))
            #expect(output.standardOutput == Array("ok\n".utf8))
        }
    }

    @Test("a server that stops answering is a start of unknown outcome", arguments: Transport.allCases)
    func execTimedOut(transport: Transport) async throws {
        var deadlines = SSHDeadlines.patient
        deadlines.exec = .seconds(5)
        try await withConnection(transport, deadlines: deadlines) { connection, _ in
            let exec = try await connection.execute("echo $PPID; exec cat")
            let server = try #require(
                pid_t(String(decoding: try await exec.read(timeout: .seconds(20)) ?? [], as: UTF8.self).dropLast()))
            kill(server, SIGSTOP)
            defer { kill(server, SIGCONT) }
            let error = try await failure { _ = try await connection.execute("true") }
            #expect(error.code == .execTimedOut)
            #expect(error.message.contains("unknown"))
        }
    }

    @Test(
        "a command that is silent for longer than the silence limit keeps its connection",
        arguments: Transport.allCases)
    func silentCommand(transport: Transport) async throws {
        var deadlines = SSHDeadlines.patient
        deadlines.silence = .seconds(9)
        try await withConnection(transport, deadlines: deadlines) { connection, _ in
            let command = try await connection.execute("sleep 15; echo done")
            #expect(try await command.read(timeout: .seconds(60)) == Array("done\n".utf8))
        }
    }
}
