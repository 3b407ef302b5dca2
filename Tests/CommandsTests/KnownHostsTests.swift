import Foundation
import Subprocess
import Testing
import UpgradeDomain

@testable import Commands

/// A real known_hosts file, hashed by the real `ssh-keygen`, and what it finds there for a host.
struct KnownHostsTests {
    private static func keygen(_ arguments: String...) async throws {
        let ended = try await Subprocess.run(
            .name("ssh-keygen"), arguments: Arguments(arguments), output: .discarded, error: .discarded)
        try #require(ended.terminationStatus.isSuccess)
    }

    /// The type and the key of a new `.pub` file.
    private static func newKey(_ type: String, in folder: String) async throws -> HostKey {
        let path = "\(folder)/\(UUID().uuidString)"
        try await keygen("-q", "-t", type, "-N", "", "-f", path)
        let columns = try String(contentsOfFile: path + ".pub", encoding: .utf8).split(separator: " ")
        return HostKey(type: String(columns[0]), base64: String(columns[1]))
    }

    @Test func aHashedFileGivesTheKeysOfThatPlaceAndNoOther() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lockflight-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let ed25519 = try await KnownHostsTests.newKey("ed25519", in: folder)
        let ecdsa = try await KnownHostsTests.newKey("ecdsa", in: folder)
        let lost = try await KnownHostsTests.newKey("ed25519", in: folder)
        let other = try await KnownHostsTests.newKey("ed25519", in: folder)
        let path = "\(folder)/known_hosts"
        try """
        [192.0.2.7]:2222 \(ed25519.type) \(ed25519.base64)
        [192.0.2.7]:2222,core.example.net \(ecdsa.type) \(ecdsa.base64)
        [192.0.2.7]:2222 \(lost.type) \(lost.base64)
        192.0.2.7 \(other.type) \(other.base64)
        @revoked * \(lost.type) \(lost.base64)

        """.write(toFile: path, atomically: true, encoding: .utf8)
        try await KnownHostsTests.keygen("-H", "-f", path)
        let hashed = try String(contentsOfFile: path, encoding: .utf8)
        #expect(hashed.contains("|1|") && !hashed.contains("192.0.2.7"))

        func match(_ address: String, port: Int) async throws -> KnownHosts.Match {
            try await KnownHosts(path: path).match(
                for: Host(
                    name: "core-1", address: address, port: port, user: "root", workingDirectory: "/srv", placements: []
                ))
        }
        let found = try await match("192.0.2.7", port: 2_222)
        #expect(found.keys == [ed25519, ecdsa])
        #expect(found.revoked == [lost])
        #expect(try await match("192.0.2.7", port: 22).keys == [other])
        #expect(try await match("core.example.net", port: 22).keys == [ecdsa])
        #expect(try await match("192.0.2.8", port: 2_222).keys == [])
    }
}
