import Approvals
import Crypto
import Foundation
import SSHSignatures
import Synchronization
import UpgradeDomain

/// Keys that `ssh-keygen` makes and signs with, in a folder that is removed on deinit. Each is made at its first use.
///
/// A key's kind is behind the hyphen of its name, as in `cleo-rsa`; ed25519 without one.
final class KeyBox: Sendable {
    private let folder: String
    private let made = Mutex(Set<String>())

    init() throws {
        folder = NSTemporaryDirectory() + "lockflight-keys-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func path(_ name: String) -> String { "\(folder)/\(name)" }

    private func make(_ name: String) throws {
        try made.withLock { made in
            guard made.insert(name).inserted else { return }
            let kind = name.split(separator: "-").dropFirst().first.map(String.init) ?? "ed25519"
            let bits = kind == "rsa" ? ["-b", "3072"] : []
            _ = try run(["-q", "-t", kind] + bits + ["-N", "", "-C", name, "-f", path(name)])
        }
    }

    /// Type and base64.
    func line(_ name: String) throws -> String {
        try key(name).line
    }

    func fingerprint(_ name: String) throws -> String { try key(name).fingerprint }

    private func key(_ name: String) throws -> SSHPublicKey {
        try make(name)
        return try SSHPublicKey(line: String(contentsOfFile: path(name) + ".pub", encoding: .utf8))
    }

    /// A signature with its armour.
    func sign(_ text: String, with name: String, namespace: String) throws -> String {
        try make(name)
        let file = path(UUID().uuidString)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        _ = try run(["-Y", "sign", "-n", namespace, "-f", path(name), file])
        return try String(contentsOfFile: file + ".sig", encoding: .utf8)
    }

    func sign(_ text: String, with names: String..., as purpose: Purpose) throws -> SignedStatement {
        SignedStatement(
            text: text, signatures: try names.map { try sign(text, with: $0, namespace: purpose.namespace) })
    }

    private func run(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ssh-keygen"] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw KeyFailure(output: output) }
        return output
    }
}

struct KeyFailure: Error {
    var output: String
}

/// A security key in software, whose owner decides whether it was touched.
struct SoftSecurityKey {
    private let secret = Curve25519.Signing.PrivateKey()

    private var blob: [UInt8] {
        var writer = SSHWireWriter()
        writer.string("sk-ssh-ed25519@openssh.com".utf8)
        writer.string([UInt8](secret.publicKey.rawRepresentation))
        writer.string("ssh:".utf8)
        return writer.bytes
    }

    var line: String { "sk-ssh-ed25519@openssh.com " + Data(blob).base64EncodedString() }

    func sign(_ text: String, as purpose: Purpose, touched: Bool) throws -> String {
        let state = SSHSignature.SecurityKeyState(flags: touched ? 1 : 0, counter: 7)
        let data = SSHSignature.signedData(message: Array(text.utf8), namespace: purpose.namespace, hash: .sha512)
        let signed = SSHSignature.securityKeyData(data, application: "ssh:", state: state)
        var proof = SSHWireWriter()
        proof.string("sk-ssh-ed25519@openssh.com".utf8)
        proof.string([UInt8](try secret.signature(for: signed)))
        proof.raw([state.flags])
        proof.uint32(state.counter)
        var writer = SSHWireWriter()
        writer.raw("SSHSIG".utf8)
        writer.uint32(1)
        writer.string(blob)
        writer.string(purpose.namespace.utf8)
        writer.string([])
        writer.string("sha512".utf8)
        writer.string(proof.bytes)
        return try SSHSignature(blob: writer.bytes).armored
    }
}
