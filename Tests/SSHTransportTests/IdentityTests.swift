import Foundation
import SSHSignatures
import Testing

@testable import SSHTransport

@Suite("Keys")
struct IdentityTests {
    private func withKey(
        _ arguments: [String], passphrase: String = "", _ body: (String) throws -> Void
    ) throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try makeKey(arguments, at: "\(folder)/key", passphrase: passphrase)
        try body("\(folder)/key")
    }

    private func loadFailure(_ path: String) throws -> SSHError {
        try #require(#expect(throws: SSHError.self) { try SSHIdentity.load(path: path) })
    }

    @Test(
        "the public half matches the .pub file",
        arguments: [
            ["-t", "ed25519"], ["-t", "ecdsa", "-b", "256"], ["-t", "ecdsa", "-b", "384"],
            ["-t", "ecdsa", "-b", "521"], ["-t", "rsa", "-b", "2048"],
        ])
    func loads(arguments: [String]) throws {
        try withKey(arguments) { path in
            let identity = try SSHIdentity.load(path: path)
            let published = SSHHostKey(openSSH: try String(contentsOfFile: path + ".pub", encoding: .utf8))
            #expect(published?.blob == identity.publicKeyBlob)
            #expect(published?.type == identity.type)
        }
    }

    @Test("a key with a passphrase is refused with a remedy")
    func encrypted() throws {
        try withKey(["-t", "ed25519"], passphrase: "secret") { path in
            let error = try loadFailure(path)
            #expect(error.code == .keyEncrypted)
            #expect(error.message.hasSuffix("ssh-add -- \(path)"))
        }
        try withKey(["-t", "rsa", "-m", "PEM"], passphrase: "secret") { path in
            let older = try loadFailure(path)
            #expect(older.code == .keyEncrypted)
        }
    }

    @Test("an RSA key below 2048 bits is refused with a remedy")
    func shortRSA() throws {
        try withKey(["-t", "rsa", "-b", "1024"]) { path in
            let error = try loadFailure(path)
            #expect(error.code == .keyTypeUnsupported)
            #expect(error.message.contains("of type ssh-rsa below 2048 bits"))
            #expect(error.message.contains("ssh-keygen -t ed25519"))
        }
    }

    @Test("libssh2 sees an RSA key under the name of its SHA-512 signatures, and every other key unchanged")
    func blobToLogIn() throws {
        try withKey(["-t", "rsa", "-b", "2048"]) { path in
            let blob = try SSHIdentity.load(path: path).publicKeyBlob
            let renamed = LibSSH2Session.blobToLogIn(with: blob)
            var reader = SSHWireReader(renamed)
            #expect(reader.text() == "rsa-sha2-512")
            #expect(renamed.suffix(blob.count - 11) == blob.dropFirst(11))
        }
        try withKey(["-t", "ed25519"]) { path in
            let blob = try SSHIdentity.load(path: path).publicKeyBlob
            #expect(LibSSH2Session.blobToLogIn(with: blob) == blob)
        }
    }

    @Test("a key in the older format is refused with the command that converts it", arguments: ["ecdsa", "rsa"])
    func olderFormat(type: String) throws {
        try withKey(["-t", type, "-m", "PEM"]) { path in
            let error = try loadFailure(path)
            #expect(error.code == .keyTypeUnsupported)
            #expect(error.message.contains("ssh-keygen -p -N ''"))
        }
    }

    @Test("a private key that others can read is not used", arguments: [0o644, 0o640, 0o604])
    func exposed(mode: Int) throws {
        try withKey(["-t", "ed25519"]) { path in
            _ = try SSHIdentity.load(path: path)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            let error = try loadFailure(path)
            #expect(error.code == .keyExposed)
            #expect(error.message.contains("chmod 600 -- ") && error.message.contains("mode \(String(mode, radix: 8))"))
        }
    }

    @Test("a missing, empty, foreign or cut file is unreadable")
    func unreadable() throws {
        try withKey(["-t", "ed25519"]) { path in
            #expect(try loadFailure(path + ".missing").code == .keyUnreadable)
            let whole = try String(contentsOfFile: path, encoding: .utf8)
            let lines = whole.split(separator: "\n")
            for broken in [
                "", "hello", lines.prefix(3).joined(separator: "\n"),
                whole.replacingOccurrences(of: "b3Bl", with: "AAAA"),
            ] {
                try broken.write(toFile: path, atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
                #expect(try loadFailure(path).code == .keyUnreadable)
            }
        }
    }

    @Test("no prefix of a key file crashes the parser", arguments: ["ecdsa", "rsa"])
    func everyPrefix(type: String) throws {
        try withKey(["-t", type]) { path in
            let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
            let footer = Array("\n-----END OPENSSH PRIVATE KEY-----\n".utf8)
            for count in 0..<(bytes.count - 80) {
                #expect(throws: OpenSSHPrivateKey.Fault.self) {
                    try OpenSSHPrivateKey(file: bytes.prefix(count) + footer)
                }
            }
        }
    }

    @Test("a public key line is accepted if its columns agree, and its fingerprint matches OpenSSH's")
    func hostKeyLine() throws {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl github.com"
        let key = try #require(SSHHostKey(openSSH: line))
        #expect(key.type == "ssh-ed25519")
        #expect(key.fingerprint == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU")
        #expect(SSHHostKey(openSSH: line.replacingOccurrences(of: "ssh-ed25519 ", with: "ssh-rsa ")) == nil)
        #expect(SSHHostKey(openSSH: "ssh-ed25519") == nil)
        #expect(SSHHostKey(blob: []) == nil)
    }

    @Test("pinned host key types are requested first; certificates and types unknown to libssh2 never")
    func preference() {
        let preference = LibSSH2Session.hostKeyPreference(
            pinned: ["ecdsa-sha2-nistp384"],
            supported: ["ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", "ecdsa-sha2-nistp384", "ssh-rsa"])
        #expect(preference == "ecdsa-sha2-nistp384,ssh-ed25519,ssh-rsa")
        let newer = LibSSH2Session.hostKeyPreference(pinned: ["ssh-rsa"], supported: ["ssh-rsa", "rsa-sha2-512"])
        #expect(newer == "rsa-sha2-512,ssh-rsa")
    }

    @Test(
        "an mpint is as short as possible and never negative",
        arguments: [
            ([0], [0, 0, 0, 0]), ([0x80], [0, 0, 0, 2, 0, 0x80]), ([0, 0, 0x7f], [0, 0, 0, 1, 0x7f]),
        ] as [([UInt8], [UInt8])])
    func mpint(magnitude: [UInt8], expected: [UInt8]) {
        var writer = SSHWireWriter()
        writer.mpint(magnitude)
        #expect(writer.bytes == expected)
    }

    @Test("a server's greeting names the list that has nothing in common")
    func serverOffer() throws {
        var lists = SSHWireWriter()
        for names in ["curve25519-sha256", "ssh-ed25519", "aes256-ctr", "aes256-ctr", "hmac-etm", "hmac-sha2-256"] {
            lists.string(names.utf8)
        }
        let packet = [0, 0, 1, 0, 4, 20] + [UInt8](repeating: 7, count: 16) + lists.bytes
        let greeting = Array("welcome\r\nSSH-2.0-x\r\n".utf8) + packet
        let offer = try #require(ServerOffer(greeting: greeting))
        let ours: (ServerOffer.List) -> [String] = { list in
            switch list {
            case .keyExchange: ["curve25519-sha256"]
            case .hostKey: ["ssh-ed25519"]
            case .cipherToServer, .cipherToClient: ["aes256-ctr"]
            case .macToServer, .macToClient: ["hmac-sha2-256"]
            }
        }
        let mismatch = try #require(offer.mismatch(supported: ours))
        #expect(mismatch.list == .macToServer)
        #expect(mismatch.sentence.contains("its MAC list is hmac-etm, ours is hmac-sha2-256"))
        for count in 0..<greeting.count - 4 {
            #expect(ServerOffer(greeting: Array(greeting.prefix(count))) == nil || count > 100)
        }
    }
}
