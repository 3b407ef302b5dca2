import Foundation
import Glibc
import TestSupport
import Testing

@testable import SSHTransport

@Suite("Connecting to a real sshd", .serialized)
struct ConnectTests {
    @Test(
        "a command runs with each supported kind of key",
        arguments: [
            ["-t", "ed25519"], ["-t", "ecdsa", "-b", "256"], ["-t", "ecdsa", "-b", "384"],
            ["-t", "ecdsa", "-b", "521"], ["-t", "rsa", "-b", "3072"],
        ])
    func echo(userKey: [String]) async throws {
        try await TestServer.run(userKey: userKey) { server in
            try await withClient { client in
                let connection = try await client.connect(to: try server.target())
                let output = try await connection.run("cat; echo problem >&2; exit 3", input: Array("hello".utf8))
                #expect(output.standardOutput == Array("hello".utf8))
                #expect(output.standardErrorTail == Array("problem\n".utf8))
                #expect(output.exit == SSHExit(status: 3, signal: nil))
                await connection.close()
                #expect(server.log.contains("userauth-request for user"))
            }
        }
    }

    @Test("each kind of pinned host key is accepted", arguments: ["256", "384", "521"])
    func ecdsaHostKey(bits: String) async throws {
        try await TestServer.run(hostKeyType: ["-t", "ecdsa", "-b", bits]) { server in
            try await withClient { client in
                let connection = try await client.connect(to: try server.target())
                #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
            }
        }
    }

    @Test("with nothing pinned no connection is made")
    func nothingPinned() async throws {
        try await TestServer.run { server in
            // The server writes down the probe that found it listening a little later.
            try await eventually("the probe is logged") { server.log.contains("Connection from 127.0.0.1 port") }
            let before = server.log.count
            try await withClient { client in
                let target = try server.target(hostKeys: [])
                let error = try await failure { _ = try await client.connect(to: target) }
                #expect(error.code == .hostKeyUnknown)
            }
            #expect(!server.log.dropFirst(before).contains("Connection from 127.0.0.1 port"))
        }
    }

    @Test(
        "a server without a common algorithm is named with the list that differs",
        arguments: [
            ("Ciphers chacha20-poly1305@openssh.com", "Ciphers"), ("MACs hmac-sha2-256-etm@openssh.com", "MACs"),
            ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "KexAlgorithms"),
        ])
    func noCommonAlgorithm(config: String, option: String) async throws {
        try await TestServer.run(config: config) { server in
            try await withClient { client in
                let target = try server.target()
                let error = try await failure { _ = try await client.connect(to: target) }
                #expect(error.code == .noCommonAlgorithm)
                #expect(error.message.contains("add one of ours to \(option)"))
            }
        }
    }

    @Test("of a name's addresses, the one with a listener is used")
    func severalAddresses() async throws {
        try await TestServer.run { server in
            let names = NameResolver { _, port in
                try NameResolver.system("::1", port) + NameResolver.system(server.address, port)
            }
            try await withClient(names: names) { client in
                var target = try server.target()
                target.address = "core-1.example"
                #expect(try await client.connect(to: target).run("echo ok").standardOutput == Array("ok\n".utf8))
            }
        }
    }

    @Test("an unanswered name lookup delays no other, and is cancelled at once when no one waits for it")
    func slowName() async throws {
        let answer = DispatchSemaphore(value: 0)
        defer { answer.signal() }
        let asked = DispatchSemaphore(value: 0)
        try await TestServer.run { server in
            let names = NameResolver { name, port in
                guard name == "slow.example" else { return try NameResolver.system(server.address, port) }
                asked.signal()
                answer.wait()
                throw NameResolver.Failure(description: "no answer")
            }
            try await withClient(names: names) { client in
                var (slow, fast) = (try server.target(), try server.target())
                (slow.address, fast.address) = ("slow.example", "fast.example")
                let waiting = Task { [slow] in try await client.connect(to: slow) }
                try await eventually("it is looked up") { asked.wait(timeout: .now()) == .success }
                #expect(try await client.connect(to: fast).run("echo ok").standardOutput == Array("ok\n".utf8))
                waiting.cancel()
                #expect(try await failure { _ = try await waiting.value }.code == .cancelled)
            }
        }
    }

    @Test("200 connections at once all answer")
    func manyConnections() async throws {
        try await TestServer.run { server in
            try await withClient { client in
                let target = try server.target()
                _ = try await client.connect(to: target).run("true")
                let answers = try await withThrowingTaskGroup(of: [UInt8].self) { group in
                    for number in 0..<200 {
                        group.addTask {
                            let connection = try await client.connect(to: target)
                            let output = try await connection.run("echo \(number)")
                            await connection.close()
                            return output.standardOutput
                        }
                    }
                    return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
                }
                #expect(answers.count == 200)
            }
        }
    }

    @Test("a hundred connects and failures leave no descriptor open")
    func noDescriptorLeak() async throws {
        try await TestServer.run { server in
            try await withClient { client in
                let good = try server.target()
                var bad = good
                bad.hostKeys = []
                var closed = good
                closed.port = try freePort(server.address)
                _ = try await client.connect(to: good).run("true")
                try await eventually("the first one is closed") { try sockets(to: server) == 0 }
                for _ in 0..<34 {
                    let connection = try await client.connect(to: good)
                    _ = try await connection.execute("cat")
                    for target in [bad, closed] {
                        _ = try await failure { _ = try await client.connect(to: target) }
                    }
                }
                try await eventually("all sockets are closed") { try sockets(to: server) == 0 }
            }
        }
    }

    @Test("cancelled at any moment, nothing is left behind and the next attempt works")
    func cancelledAnywhere() async throws {
        try await TestServer.run { server in
            try await withClient { client in
                let target = try server.target()
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<80 {
                        let work = Task {
                            let connection = try await client.connect(to: target)
                            _ = try await connection.run("cat", input: [UInt8](repeating: 1, count: 300_000))
                        }
                        group.addTask {
                            try? await Task.sleep(for: .milliseconds(number * 8))
                            work.cancel()
                            _ = await work.result
                        }
                    }
                }
                try await eventually("all sockets are closed") { try sockets(to: server) == 0 }
                #expect(try await client.connect(to: target).run("echo ok").standardOutput == Array("ok\n".utf8))
            }
        }
    }

    /// Our sockets to a server, found by address, so that parallel tests do not matter.
    private func sockets(to server: TestServer) throws -> Int {
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { CInt($0) }
        return descriptors.count { descriptor in
            var name = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isPeer = withUnsafeMutablePointer(to: &name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) == 0 }
            }
            return isPeer && name.sin_family == sa_family_t(AF_INET)
                && UInt16(bigEndian: name.sin_port) == UInt16(server.port)
        }
    }
}
