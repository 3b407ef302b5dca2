import Foundation
import Subprocess
import Testing
import UpgradeDomain

@testable import FleetAccess

/// Tests lookups in a real known_hosts file, hashed by the real `ssh-keygen`.
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

    /// A key in the format of a file: its type and some bytes (RFC 4253, 6.6).
    private static func key(_ type: String, _ byte: UInt8) -> HostKey {
        let fields = [Array(type.utf8), [UInt8](repeating: byte, count: 33)]
        let blob: [UInt8] = fields.flatMap { field -> [UInt8] in [0, 0, 0, UInt8(field.count)] + field }
        return HostKey(type: type, base64: Data(blob).base64EncodedString())
    }

    private let one = key("ssh-ed25519", 1)
    private let two = key("ecdsa-sha2-nistp256", 2)

    private func line(_ key: HostKey, _ marker: String = "", _ space: String = " ") -> String {
        "\(marker)host\(space)\(key.type)\(space)\(key.base64)"
    }

    @Test(arguments: ["\n", "\r\n", "\n\n"], [" ", "\t", " \t "])
    func linesAreReadAsOpenSSHPrintsThem(_ end: String, _ space: String) {
        let match = KnownHosts.read(
            [
                "# Host [127.0.0.1]:2222 found: line 1", line(one, "", space), line(two, "", space) + " comment",
                line(KnownHostsTests.key("ssh-rsa", 3), "", space),
                "@cert-authority *.example.net ssh-ed25519 AAAAC3Ca",
            ].map { $0 + end }.joined())
        #expect(match.keys == [one, two])
        #expect(match.remarks.count == 2)
        #expect(match.revoked.isEmpty)
        let revoked = KnownHosts.read(
            [line(one), "@revoked\(space)" + line(one, "", space), line(two)].joined(separator: end))
        #expect(revoked.revoked == [one])
        #expect(revoked.keys == [two])
    }

    @Test func aLineWhoseKeyCanNotBeReadPinsNothing() {
        let unpadded = String(one.base64.utf8.prefix { $0 != UInt8(ascii: "=") }) ?? ""
        for base64 in ["AAAA", "AAAAC3Nz", "!", two.base64, unpadded, one.base64 + "\u{301}"] {
            let bad = "host ssh-ed25519 \(base64)"
            #expect(KnownHosts.read(bad).keys.isEmpty, "\(base64)")
            #expect(KnownHosts.read(bad).remarks.count == 1, "\(base64)")
            // It is unknown which key is revoked, so none is trusted.
            #expect(KnownHosts.read("\(line(one))\n@revoked \(bad)\n").keys.isEmpty, "\(base64)")
        }
        #expect(KnownHosts.read("\(line(one))\n@revoked host\n").keys.isEmpty)
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
