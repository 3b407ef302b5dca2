import Foundation
import SSHSignatures
import Testing

/// Every reason to refuse a key or a signature, with the words for it.
struct SignatureProblemTests {
    /// The name of each case; a new one does not compile without a place here.
    private static func name(of problem: SignatureProblem) -> String {
        switch problem {
        case .notArmoured: "notArmoured"
        case .malformedSignature: "malformedSignature"
        case .unsupportedVersion: "unsupportedVersion"
        case .unsupportedHash: "unsupportedHash"
        case .unsupportedAlgorithm: "unsupportedAlgorithm"
        case .sha1: "sha1"
        case .malformedKey: "malformedKey"
        case .unsupportedKey: "unsupportedKey"
        case .certificate: "certificate"
        case .foreignApplication: "foreignApplication"
        case .rsaTooLong: "rsaTooLong"
        case .wrongNamespace: "wrongNamespace"
        case .doesNotMatch: "doesNotMatch"
        case .rsaRefused: "rsaRefused"
        case .rsaTooShort: "rsaTooShort"
        case .noTouch: "noTouch"
        case .noVerification: "noVerification"
        }
    }

    private static let names = [
        "notArmoured", "malformedSignature", "unsupportedVersion", "unsupportedHash", "unsupportedAlgorithm", "sha1",
        "malformedKey", "unsupportedKey", "certificate", "foreignApplication", "rsaTooLong", "wrongNamespace",
        "doesNotMatch", "rsaRefused", "rsaTooShort", "noTouch", "noVerification",
    ]

    private static func problem(_ body: () throws -> Void) -> SignatureProblem? {
        do {
            try body()
            return nil
        } catch { return error as? SignatureProblem }
    }

    private static func verify(
        _ name: String, namespace: String = Vectors.namespace, rules: SignatureRules = SignatureRules(),
        message: [UInt8]? = nil, _ change: (inout SignatureParts) -> Void = { _ in }
    ) throws {
        var parts = try #require(SignatureParts(try Vectors.signature(name).blob))
        change(&parts)
        let signature = try SSHSignature(armored: parts.armour)
        _ = try signature.verify(message: try message ?? Vectors.message(), namespace: namespace, rules: rules)
    }

    private static func wire(_ fields: [[UInt8]]) -> [UInt8] {
        var writer = SSHWireWriter()
        for field in fields { writer.string(field) }
        return writer.bytes
    }

    private static func key(_ fields: [[UInt8]]) throws { _ = try SSHPublicKey(blob: wire(fields)) }

    /// What is done, and the words that must come of it.
    private static let expected: [(words: String, attempt: @Sendable () throws -> Void)] = [
        (
            "this is not an armoured SSH signature: something follows -----END SSH SIGNATURE-----",
            { _ = try SSHSignature(armored: try Vectors.bytes("ecdsa.sig") + [0x78]) }
        ),
        ("the signature is damaged: bytes follow its innermost part", { try verify("ecdsa") { $0.proof.append(0) } }),
        ("the signature has format version 2, and only version 1 is read", { try verify("ecdsa") { $0.version = 2 } }),
        (
            "the signature uses the hash \"sha1\", and only sha256 and sha512 are accepted",
            { try verify("ecdsa") { $0.hash = [UInt8]("sha1".utf8) } }
        ),
        (
            "the signature's algorithm is \"ssh-ed25519\", which an ECDSA key on P-256 does not use",
            { try verify("ecdsa") { $0.algorithm = [UInt8]("ssh-ed25519".utf8) } }
        ),
        (
            "the RSA signature uses SHA-1 (ssh-rsa), and only rsa-sha2-256 and rsa-sha2-512 are accepted",
            { try verify("rsa-3072") { $0.algorithm = [UInt8]("ssh-rsa".utf8) } }
        ),
        (
            "the public key is damaged: bytes follow it",
            { _ = try SSHPublicKey(blob: try Vectors.key("ed25519").blob + [0]) }
        ),
        (
            """
            keys of type "ecdsa-sha2-nistp384" are not accepted; ed25519, ECDSA on P-256, RSA, and security keys of \
            the first two kinds are
            """, { _ = try Vectors.key("ecdsa-384") }
        ),
        (
            "this is a certificate (\"ssh-ed25519-cert-v01@openssh.com\"), and only plain public keys are accepted",
            { _ = try Vectors.key("ed25519-cert") }
        ),
        (
            """
            the security key was made for the application "https://a.example", and only those that begin with "ssh:" \
            are accepted
            """,
            { _ = try SSHPublicKey(blob: try SoftwareKey.securityP256(application: "https://a.example").blob) }
        ),
        (
            "the RSA key has 8200 bits, and at most 8192 are accepted",
            { try key([[UInt8]("ssh-rsa".utf8), [1, 0, 1], [0] + [UInt8](repeating: 0xff, count: 1_025)]) }
        ),
        (
            "the signature is for the namespace \"lockflight-vectors\", and not for \"file\"",
            { try verify("ecdsa", namespace: "file") }
        ),
        (
            """
            the signature does not match the content and the key SHA256:CDyIoRHAUDRMqf7qb7Bv2HnEdPPoUrC8eLhBgq63sQw
            """, { try verify("ed25519", message: []) }
        ),
        (
            "the signature was made with an RSA key, and RSA is not accepted here",
            { try verify("rsa-4096", rules: SignatureRules(minimumRSABits: nil)) }
        ),
        ("the RSA key has 2048 bits, and at least 3072 are required", { try verify("rsa-2048") }),
        (
            "the RSA key has 3072 bits, and at least 4096 are required",
            { try verify("rsa-3072", rules: SignatureRules(minimumRSABits: 4096)) }
        ),
        (
            """
            nobody touched the security key SHA256:tr1zO3XslU9Gav+IzTAeC12jWA/b3kuq66GkbaT9P7M for this signature, and \
            a touch is required
            """, { try verify("sk-untouched") }
        ),
        (
            """
            the security key SHA256:gsbiropMiVMO4fXjwIvKWWgjK+Ot+bE3Bmsdqzo63I8 did not check its user (by PIN or \
            fingerprint) for this signature, and that is required
            """, { try verify("sk-ed25519", rules: SignatureRules(requiresVerification: true)) }
        ),
    ]

    @Test func everyProblemIsFoundAndSaid() {
        var seen: Set<String> = []
        for (words, attempt) in Self.expected {
            let problem = Self.problem(attempt)
            #expect(problem?.words == words)
            if let problem { seen.insert(Self.name(of: problem)) }
        }
        #expect(seen == Set(Self.names))
    }

    @Test func rulesThatAreKeptRefuseNothing() throws {
        try Self.verify("rsa-2048", rules: SignatureRules(minimumRSABits: 2048))
        try Self.verify("rsa-2048", rules: SignatureRules(minimumRSABits: 0))
        try Self.verify("sk-untouched", rules: SignatureRules(requiresTouch: false))
        try Self.verify("sk-ecdsa", rules: SignatureRules(requiresVerification: true))
        // A key in a file knows neither.
        try Self.verify("ed25519", rules: SignatureRules(requiresVerification: true))
    }

    /// RSA below 2,048 bits cannot be verified with; the rule says so first, whatever it asks.
    @Test func shortRSAKeysAreReadAndNeverAccepted() throws {
        let modulus: [UInt8] = [0] + [UInt8](repeating: 0xff, count: 128)
        let blob = Self.wire([[UInt8]("ssh-rsa".utf8), [1, 0, 1], modulus])
        #expect(try SSHPublicKey(blob: blob).kind == .rsa(bits: 1024))
        let problem = Self.problem {
            try Self.verify("rsa-2048", rules: SignatureRules(minimumRSABits: 512)) { $0.key = blob }
        }
        #expect(problem == .rsaTooShort(bits: 1024, minimumBits: 2048))
    }

    /// The flags are signed, so a touch that was only written into them makes a signature that does not match.
    @Test func aTouchThatIsOnlyClaimedDoesNotMatch() throws {
        let problem = Self.problem { try Self.verify("sk-untouched") { $0.proof[$0.proof.count - 5] = 1 } }
        #expect(problem == .doesNotMatch(try Vectors.key("sk-untouched")))
    }

    @Test func damagedPartsAreNamed() throws {
        func expect(_ words: String, _ change: (inout SignatureParts) -> Void) {
            let problem = Self.problem { try Self.verify("ecdsa", change) }
            #expect(problem?.words.contains(words) == true, "\(problem?.words ?? "accepted")")
        }
        expect("it does not begin with SSHSIG") { $0.magic = [UInt8]("SSHSIX".utf8) }
        expect("its namespace is empty, too long or not printable ASCII") { $0.namespace = [] }
        expect("its namespace is empty, too long") { $0.namespace = [UInt8](repeating: 0x6e, count: 256) }
        expect("not printable ASCII") { $0.namespace = [0x1b] }
        expect("its innermost part is cut short") { $0.proof = [0, 0] }
        expect("r and s are not two positive numbers") { $0.content = Self.wire([[0x80], [1]]) }
        expect("r and s are not two positive numbers") { $0.content = Self.wire([[], [1]]) }
        expect("r and s are not two positive numbers") { $0.content = Self.wire([[0, 1], [1]]) }
        expect("r and s are not two positive numbers") {
            $0.content = Self.wire([[1] + [UInt8](repeating: 1, count: 32), [1]])
        }
        expect("r and s are not two positive numbers") { $0.content += [0] }
        let long = Self.problem {
            _ = try SSHSignature(blob: [UInt8](repeating: 0, count: SignatureLimits.blobBytes + 1))
        }
        #expect(long?.words == "the signature is damaged: it is longer than 12288 bytes")
        let cut = Self.problem { try Self.verify("sk-ed25519") { $0.proof.removeLast() } }
        #expect(cut?.words.contains("the security key's flags and counter are missing") == true)
    }

    /// What would reach a terminal is cut and printable.
    @Test func foreignWordsAreShownShortAndPrintable() {
        let long = String(repeating: "x", count: 100)
        #expect(
            SignatureProblem.unsupportedHash("\u{1b}[2J\u{85}" + long).words
                == "the signature uses the hash \"?[2J??\(String(repeating: "x", count: 74))...\", and only sha256 and "
                + "sha512 are accepted")
    }
}
