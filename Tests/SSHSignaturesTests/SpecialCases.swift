import Crypto
import Foundation
import SSHSignatures
import Testing

/// Cases that no chance finds: each shows one difference, or one thing on which both must agree.
struct SpecialCases {
    /// Lines of keys that these cases need besides the others.
    let allowed: [String]
    private let program: OpenSSHProgram
    private let bases: [SignatureBase]
    private let edwards: SignatureBase
    private let curve: SignatureBase
    private let rsa: SignatureBase
    private let securityKeys: [SoftwareKey]
    private let software: [SoftwareKey]
    private let foreign: [SoftwareKey]
    private let certificate: [UInt8]
    /// The file of a key whose signatures often begin with a zero byte.
    private let uneven: String

    init(
        _ program: OpenSSHProgram, ed25519 file: String, rsa uneven: String, signed: [SignatureBase],
        security: [SoftwareKey]
    ) throws {
        self.program = program
        self.uneven = uneven
        bases = signed
        edwards = try #require(signed.first { $0.name.hasPrefix("ed25519") })
        curve = try #require(signed.first { $0.name.hasPrefix("ecdsa-256") })
        rsa = try #require(signed.first { $0.name.hasPrefix("rsa-3072") })
        securityKeys = security
        software = [try .ed25519(), try .p256(), try .rsa(bits: 3072)]
        foreign = [try .securityEd25519(application: "https://a.example"), try .securityP256(application: "")]
        let authority = try program.makeKey("ed25519", bits: 1)
        try #require(try program.run(["-q", "-s", authority, "-I", "id", "-n", "tester", file + ".pub"]) == 0)
        let line = String(decoding: try Data(contentsOf: URL(filePath: file + "-cert.pub")), as: UTF8.self)
        certificate = [UInt8](try #require(Data(base64Encoded: String(line.split(separator: " ")[1]))))
        let trusted = String(decoding: try Data(contentsOf: URL(filePath: authority + ".pub")), as: UTF8.self)
        allowed = (software + foreign).map(\.line) + ["cert-authority \(trusted)"]
    }

    func all() throws -> [SignatureCase] {
        try armours() + names() + numbers() + keys() + securityStates() + [webauthn()] + sha1()
    }

    private func armours() -> [SignatureCase] {
        let base = curve
        let text = base.parts.armour
        let blob = base.parts.blob
        var spaced = text
        spaced.insert(0x20, at: 50)
        var apart = text
        apart.insert(0x0a, at: 101)
        return [
            base.changed("words behind it", armour: text + bytes("Approved-by: me\n"), shows: .looseArmour),
            base.changed("a second block", armour: text + edwards.parts.armour, shows: .looseArmour),
            base.changed("a word in the last line", armour: text.dropLast() + bytes("x\n"), shows: .looseArmour),
            base.changed("one long line", armour: SignatureParts.armour(blob, width: 5_000), shows: .looseArmour),
            base.changed("a space in a line", armour: spaced, shows: .looseArmour),
            base.changed("an empty line", armour: apart, shows: .looseArmour),
            base.changed("carriage returns", armour: SignatureParts.armour(blob, end: "\r\n"), shows: .spaceBefore),
            base.changed("a line before it", armour: [0x0a] + text, shows: .spaceBefore),
            base.changed("words before it", armour: bytes("x\n") + text),
            base.changed("white space behind it", armour: text + bytes(" \n\t\n")),
            base.changed("lines of 76", armour: SignatureParts.armour(blob, width: 76)),
            base.changed("no last line", armour: Array(text.dropLast(27))),
            base.changed("no line end", armour: Array(text.dropLast())),
            base.changed("lower case", armour: bytes(String(decoding: text, as: UTF8.self).lowercased())),
            base.changed("nothing", armour: []),
            base.changed("nothing between", armour: SignatureParts.armour([])),
        ]
    }

    private func names() -> [SignatureCase] {
        var cases: [SignatureCase] = []
        func add(
            _ what: String, _ base: SignatureBase, shows: Difference? = nil, _ change: (inout SignatureParts) -> Void
        ) {
            var parts = base.parts
            change(&parts)
            cases.append(base.changed(what, parts, shows: shows))
        }
        for base in [edwards, curve, rsa] {
            add("version 0", base, shows: .versionZero) { $0.version = 0 }
            add("version 2", base) { $0.version = 2 }
            add("NUL behind the namespace", base, shows: .terminatedName) { $0.namespace.append(0) }
            add("NUL in the namespace", base) { $0.namespace += [0, 0x78] }
            add("NUL behind the hash", base, shows: .terminatedName) { $0.hash.append(0) }
            add("NUL behind the algorithm", base, shows: .terminatedName) { $0.algorithm.append(0) }
            add("no namespace", base) { $0.namespace = [] }
            add("reserved filled", base) { $0.reserved = [1, 2, 3] }
            add("reserved of 20,000 bytes", base, shows: .longField) {
                $0.reserved = Array(repeating: 1, count: 20_000)
            }
            for hash in ["sha1", "sha384", "md5", "SHA512", ""] {
                add("hash \(hash)", base) { $0.hash = bytes(hash) }
            }
            add("bytes behind the innermost part", base) { $0.proof.append(0) }
        }
        return cases
    }

    private func numbers() throws -> [SignatureCase] {
        var cases: [SignatureCase] = []
        var parts = curve.parts
        var reader = SSHWireReader(parts.content)
        let (r, s) = ([UInt8](reader.string() ?? []), [UInt8](reader.string() ?? []))
        func add(_ what: String, _ r: [UInt8], _ s: [UInt8], shows: Difference? = nil) {
            var writer = SSHWireWriter()
            writer.string(r)
            writer.string(s)
            parts.content = writer.bytes
            cases.append(curve.changed(what, parts, shows: shows))
        }
        add("r with a leading zero", [0] + r, s, shows: .paddedNumber)
        add("s with leading zeros", r, [0, 0, 0] + s, shows: .paddedNumber)
        add("r is zero", [], s)
        add("s is a zero byte", r, [0])
        add("r is negative", [0x80] + r, s)
        add("s is huge", r, [1] + [UInt8](repeating: 1, count: 300))
        add("r is the field's size", [0] + [UInt8](repeating: 0xff, count: 32), s)
        add("r and s exchanged", s, r)

        var unreduced = edwards.parts
        // The order of the group: 2^252 + 27742317777372353535851937790883648493, little-endian.
        let order: [UInt8] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
            0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ]
        var carry = 0
        for (index, byte) in order.enumerated() {
            let sum = Int(unreduced.content[32 + index]) + Int(byte) + carry
            var content = unreduced.content
            content[32 + index] = UInt8(truncatingIfNeeded: sum)
            unreduced.content = content
            carry = sum >> 8
        }
        cases.append(edwards.changed("the order added to its scalar", unreduced, shows: .unreducedScalar))
        for count in [0, 63, 65] {
            var changed = edwards.parts
            changed.content = Array((edwards.parts.content + [0]).prefix(count))
            cases.append(edwards.changed("\(count) bytes", changed))
        }
        return cases + (try shortenedRSA())
    }

    /// A modulus of 3,074 bits begins with the byte 2 or 3, so that one signature of three or four begins with a zero
    /// byte, which some programs leave out.
    private func shortenedRSA() throws -> [SignatureCase] {
        var zero: SignatureBase?
        for number in 0..<100 where zero == nil {
            let message = bytes("message \(number)")
            let armour = try program.sign(message, key: uneven, namespace: "file", hash: "sha512", name: "uneven")
            let blob = try #require(SignatureSet.unarmoured(armour))
            let base = SignatureBase(
                name: "rsa-3074", parts: try #require(SignatureParts(blob)), message: message, namespace: "file")
            if base.parts.content.first == 0 { zero = base }
        }
        let leading = try #require(zero)
        var shortened = leading.parts
        shortened.content = Array(shortened.content.drop { $0 == 0 })
        var less = rsa.parts
        less.content.removeFirst()
        var more = rsa.parts
        more.content.insert(0, at: 0)
        return [
            leading.unchanged, leading.changed("without its leading zeros", shortened),
            rsa.changed("a byte less", less),
            rsa.changed("a byte more", more),
        ]
    }

    private func keys() throws -> [SignatureCase] {
        var cases: [SignatureCase] = []
        var certified = edwards.parts
        certified.key = certificate
        cases.append(edwards.changed("a certificate", certified, shows: .certificate))
        for base in bases where base.name.hasPrefix("ecdsa-384") {
            cases.append(base.changed("P-384", base.parts, shows: .otherCurve))
        }
        for base in bases where base.name.hasPrefix("rsa-2048") {
            cases.append(base.changed("2,048 bits", base.parts, shows: .shortRSA))
        }
        for key in foreign {
            let parts = try key.sign([1, 2, 3])
            cases.append(
                SignatureCase(
                    "application \(key.application ?? "")", armour: parts.armour, message: [1, 2, 3],
                    shows: .foreignApplication))
        }
        for key in software {
            let parts = try key.sign([1, 2, 3], hash: .sha256)
            cases.append(SignatureCase("software \(key.algorithm)", armour: parts.armour, message: [1, 2, 3]))
        }
        // Nobody allowed this key.
        let stranger = try SoftwareKey.ed25519().sign([1, 2, 3])
        cases.append(SignatureCase("a stranger's key", armour: stranger.armour, message: [1, 2, 3]))
        // The same RSA key in another spelling.
        var reader = SSHWireReader(rsa.parts.key)
        let fields = (0..<3).map { _ in [UInt8](reader.string() ?? []) }
        var writer = SSHWireWriter()
        for field in [fields[0], fields[1], [0, 0] + fields[2]] { writer.string(field) }
        var respelled = rsa.parts
        respelled.key = writer.bytes
        cases.append(rsa.changed("the modulus with leading zeros", respelled, shows: .paddedNumber))
        // The point of an ECDSA key in its compressed form.
        var compressed = curve.parts
        compressed.key = try Self.compressing(curve.parts.key)
        cases.append(curve.changed("a compressed point", compressed))
        return cases
    }

    private static func compressing(_ key: [UInt8]) throws -> [UInt8] {
        var reader = SSHWireReader(key)
        let (type, name, point) = (reader.string() ?? [], reader.string() ?? [], reader.string() ?? [])
        let short = try P256.Signing.PublicKey(x963Representation: point).compressedRepresentation
        var writer = SSHWireWriter()
        writer.string(type)
        writer.string(name)
        writer.string(short)
        return writer.bytes
    }

    private func securityStates() throws -> [SignatureCase] {
        try securityKeys.flatMap { key in
            try [UInt8(0), 1, 4, 5, 0x80, 0xff].flatMap { flags in
                let parts = try key.sign([9], flags: flags, counter: .max)
                let signed = SignatureBase(
                    name: "\(key.algorithm), flags \(flags)", parts: parts, message: [9], namespace: "file")
                let isTouched = flags & 1 != 0
                var claimed = parts
                claimed.proof[claimed.proof.count - 5] ^= 1
                var counted = parts
                counted.proof[counted.proof.count - 1] ^= 1
                var cut = parts
                cut.proof.removeLast()
                return [
                    signed.changed("as signed", parts, shows: isTouched ? nil : .noTouch),
                    signed.changed("the touch changed", claimed), signed.changed("the counter changed", counted),
                    signed.changed("the counter cut", cut),
                ]
            }
        }
    }

    /// PROTOCOL.u2f: a browser signs a text of its own, in which the data is.
    private func webauthn() throws -> SignatureCase {
        let key = try #require(securityKeys.first { $0.algorithm.hasPrefix("sk-ecdsa") })
        var parts = try key.sign([9])
        let data = Data(SSHSignature.signedData(message: [9], namespace: "file", hash: .sha512)).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        let client = #"{"type":"webauthn.get","challenge":"\#(data)","origin":"https://a.example"}"#
        var signed = SSHWireWriter()
        signed.raw(SHA256.hash(data: Data("ssh:".utf8)))
        signed.raw([1])
        signed.uint32(7)
        signed.raw(SHA256.hash(data: Data(client.utf8)))
        var writer = SSHWireWriter()
        writer.string("webauthn-sk-ecdsa-sha2-nistp256@openssh.com".utf8)
        writer.string(try key.content(signing: signed.bytes))
        writer.raw([1])
        writer.uint32(7)
        for text in ["https://a.example", client, ""] { writer.string(text.utf8) }
        parts.proof = writer.bytes
        return SignatureCase("a browser's signature", armour: parts.armour, message: [9], shows: .webauthn)
    }

    private func sha1() throws -> [SignatureCase] {
        let key = software[2]
        var parts = try key.sign([9])
        let data = SSHSignature.signedData(message: [9], namespace: "file", hash: .sha512)
        parts.proof = try key.proof(of: data, hash: nil)
        let real = SignatureCase("RSA over SHA-1", armour: parts.armour, message: [9])
        parts.proof = try key.proof(of: data, hash: .sha256)
        let other = SignatureCase("RSA over SHA-256", armour: parts.armour, message: [9])
        parts.algorithm = [UInt8]("rsa-sha2-512".utf8)
        let renamed = SignatureCase("RSA over SHA-256, called SHA-512", armour: parts.armour, message: [9])
        // A namespace outside of ASCII.
        let foreign = try key.sign([9], namespace: "plän")
        return [
            real, other, renamed,
            SignatureCase(
                "a namespace with an umlaut", armour: foreign.armour, message: [9], namespace: "plän",
                shows: .unprintableNamespace),
        ]
    }
}

private func bytes(_ text: String) -> [UInt8] { [UInt8](text.utf8) }
