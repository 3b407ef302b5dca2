import Glibc
import Testing

@testable import SSHTransport

/// A peer whose network is gone sends nothing at all and is still noticed.
@Suite("Dead peers", .serialized)
struct DeadPeerTests {
    @Test(
        "a link that goes down is noticed within the configured silence",
        .enabled(if: NetworkNamespace.isAvailable, "needs root and network namespaces"))
    func linkDown() async throws {
        let namespace = try NetworkNamespace()
        defer { namespace.remove() }
        try await TestServer.run(inside: namespace) { server in
            var deadlines = SSHDeadlines.patient
            deadlines.silence = .seconds(3)
            let target = try server.target(deadlines: deadlines)
            try await withClient { client in
                let command = try await client.connect(to: target).execute("echo begun; exec cat")
                #expect(try await command.read() == Array("begun\n".utf8))
                #expect(namespace.takeLinkDown())
                // Nothing is sent and nothing arrives: only the kernel's own probes notice. The limit is far beyond the
                // configured silence and would be another error.
                let error = try await failure { _ = try await command.read(timeout: .seconds(60)) }
                #expect(error.code == .connectionLost)
            }
        }
    }

    @Test("a server that no longer answers is noticed although its kernel still acknowledges")
    func stalled() async throws {
        try await TestServer.run { server in
            var deadlines = SSHDeadlines.patient
            deadlines.silence = .seconds(3)
            let target = try server.target(deadlines: deadlines)
            try await withClient { client in
                let command = try await client.connect(to: target).execute("echo $PPID; exec cat")
                let session = try #require(
                    pid_t(String(decoding: try await command.read() ?? [], as: UTF8.self).dropLast()))
                kill(session, SIGSTOP)
                defer { kill(session, SIGCONT) }
                let error = try await failure { _ = try await command.read(timeout: .seconds(60)) }
                #expect(error.code == .connectionLost)
                #expect(
                    error.description.contains(
                        "nothing came from it for 3.0 seconds, not even the answer to a keepalive"))
            }
        }
    }
}
