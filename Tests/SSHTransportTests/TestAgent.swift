import Foundation
import Glibc
import TestSupport
import Testing

/// A real ssh-agent for this test only, with no one to confirm the use of a key.
struct TestAgent {
    let socketPath: String
    let process: pid_t
    private let folder: String
    private static let askpass = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/askpass"

    init() throws {
        folder = try temporaryFolder()
        socketPath = "\(folder)/agent"
        process = try spawn(
            ["/usr/bin/ssh-agent", "-D", "-a", socketPath],
            environment: ["SSH_ASKPASS=/bin/false", "PATH=/usr/bin:/bin"])
    }

    func waitUntilListening() async throws {
        // Its socket exists before it listens.
        try await eventually("ssh-agent listens") {
            let asking = try spawn(
                ["/usr/bin/ssh-add", "-l"], environment: ["SSH_AUTH_SOCK=\(socketPath)", "PATH=/usr/bin:/bin"])
            // 1 means an agent without keys, 2 means no agent.
            return exitStatus(of: asking) == 1 << 8
        }
    }

    /// Adds a private key file; a program that only prints the passphrase answers for it. That program is a file in the
    /// repository: one written here could still be open for writing in a child of another test and fail to run.
    func add(_ path: String, passphrase: String = "", options: [String] = []) throws {
        let adding = try spawn(
            ["/usr/bin/ssh-add", "-q"] + options + [path],
            environment: [
                "SSH_AUTH_SOCK=\(socketPath)", "SSH_ASKPASS=\(TestAgent.askpass)", "SSH_ASKPASS_REQUIRE=force",
                "PASSPHRASE=\(passphrase)", "PATH=/usr/bin:/bin",
            ])
        try #require(exitStatus(of: adding) == 0)
    }

    func stop() {
        // Threads of a test process block SIGTERM, and the agent inherits that.
        kill(process, SIGKILL)
        _ = exitStatus(of: process)
        try? FileManager.default.removeItem(atPath: folder)
    }
}

func withAgent(_ body: (TestAgent) async throws -> Void) async throws {
    let agent = try TestAgent()
    defer { agent.stop() }
    try await agent.waitUntilListening()
    try await body(agent)
}

/// A Unix socket that answers the first connection with fixed bytes, and then nothing more.
final class UnixListener: Sendable {
    let path: String
    private let descriptor: CInt

    init(path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: name.sun_path)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix(capacity - 1)) }
        let bound = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        try #require(bound && listen(descriptor, 4) == 0)
    }

    deinit { close(descriptor) }

    func serveOnce(_ reply: [UInt8]) {
        Thread.detachNewThread {
            let peer = accept(self.descriptor, nil, nil)
            guard peer >= 0 else { return }
            _ = send(peer, reply, reply.count, CInt(MSG_NOSIGNAL))
            var byte: UInt8 = 0
            while recv(peer, &byte, 1, 0) > 0 {}
            close(peer)
        }
    }
}
