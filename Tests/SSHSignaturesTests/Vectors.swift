import Foundation
import SSHSignatures
import Testing

/// Keys and signatures that were made once and are kept in the folder `Vectors`; their private halves are gone.
///
/// Those of files are by OpenSSH 9.2 (`ssh-keygen -Y sign -n lockflight-vectors`), those of security keys by
/// ``SoftwareKey``, and ssh-keygen found all of them good.
enum Vectors {
    static let namespace = "lockflight-vectors"
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Vectors")

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: name)))
    }

    static func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

    static func key(_ name: String) throws -> SSHPublicKey { try SSHPublicKey(line: try text("\(name).pub")) }

    static func signature(_ name: String) throws -> SSHSignature {
        try SSHSignature(armored: try bytes("\(name).sig"))
    }

    static func message() throws -> [UInt8] { try bytes("message.txt") }
}

struct VectorTests {
    @Test(
        arguments: [
            ("ed25519", "ed25519", .ed25519, .sha512), ("ed25519-sha256", "ed25519", .ed25519, .sha256),
            ("ecdsa", "ecdsa", .ecdsaP256, .sha512), ("rsa-3072", "rsa-3072", .rsa(bits: 3072), .sha512),
            ("rsa-4096", "rsa-4096", .rsa(bits: 4096), .sha512),
            ("sk-ed25519", "sk-ed25519", .securityEd25519, .sha512),
            ("sk-ecdsa", "sk-ecdsa", .securityECDSAP256, .sha512),
        ] as [(String, String, SSHPublicKey.Kind, SSHSignature.Hash)])
    func eachKindVerifiesAndIsWrittenBackAsItWas(
        _ name: String, _ keyName: String, _ kind: SSHPublicKey.Kind, _ hash: SSHSignature.Hash
    ) throws {
        let signature = try Vectors.signature(name)
        let key = try signature.verify(message: try Vectors.message(), namespace: Vectors.namespace)
        #expect(try key == Vectors.key(keyName))
        #expect(key.kind == kind && signature.hash == hash && signature.namespace == Vectors.namespace)
        #expect(try signature.armored == Vectors.text("\(name).sig"))
        #expect(try SSHSignature(blob: signature.blob) == signature)
    }

    @Test func aSecurityKeysStateIsRead() throws {
        let ecdsa = try Vectors.signature("sk-ecdsa").securityKey
        #expect(ecdsa == .init(flags: 5, counter: 42) && ecdsa?.wasTouched == true && ecdsa?.hasVerifiedUser == true)
        let untouched = try Vectors.signature("sk-untouched").securityKey
        #expect(untouched?.wasTouched == false && untouched?.hasVerifiedUser == false)
        #expect(try Vectors.signature("ed25519").securityKey == nil)
        #expect(try Vectors.key("sk-ecdsa").application == "ssh:lockflight")
    }

    @Test(
        arguments: [
            ("ed25519", "ssh-ed25519"), ("ecdsa", "ecdsa-sha2-nistp256"), ("rsa-2048", "ssh-rsa"),
            ("rsa-3072", "ssh-rsa"),
            ("rsa-4096", "ssh-rsa"), ("sk-ed25519", "sk-ssh-ed25519@openssh.com"),
            ("sk-ecdsa", "sk-ecdsa-sha2-nistp256@openssh.com"),
        ])
    func keysHaveSSHKeygensFingerprintAndLine(_ name: String, _ type: String) throws {
        let key = try Vectors.key(name)
        #expect(try Vectors.text("fingerprints.txt").split(separator: "\n").contains("\(name) \(key.fingerprint)"))
        #expect(try Vectors.text("\(name).pub") == "\(key.line) a comment\n")
        #expect(key.kind.type == type)
        #expect(try SSHPublicKey(line: key.line) == key && SSHPublicKey(blob: key.blob).hashValue == key.hashValue)
    }

    /// The example of PROTOCOL.sshsig is older than its text: it has no field for the hash. ssh-keygen refuses it too.
    @Test func theSpecificationsOwnExampleIsOfAnEarlierFormat() throws {
        let example = """
            -----BEGIN SSH SIGNATURE-----
            U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgJKxoLBJBivUPNTUJUSslQTt2hD
            jozKvHarKeN8uYFqgAAAADZm9vAAAAAAAAAFMAAAALc3NoLWVkMjU1MTkAAABAKNC4IEbt
            Tq0Fb56xhtuE1/lK9H9RZJfON4o6hE9R4ZGFX98gy0+fFJ/1d2/RxnZky0Y7GojwrZkrHT
            FgCqVWAQ==
            -----END SSH SIGNATURE-----

            """
        #expect(throws: SignatureProblem.malformedSignature("it names no hash")) {
            try SSHSignature(armored: [UInt8](example.utf8))
        }
    }
}
