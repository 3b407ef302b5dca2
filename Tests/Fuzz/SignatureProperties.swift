import SSHSignatures

/// Armoured signatures, bare ones, public keys and files of allowed signers: whatever they contain, they are refused in
/// words that a terminal can show, or mean the same after they are written and read again.
enum SignatureProperties {
    static func check(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        attempt { check(try SSHSignature(armored: input)) }
        attempt { check(try SSHSignature(blob: input)) }
        attempt { check(try SSHPublicKey(blob: input)) }
        attempt { check(try SSHPublicKey(line: text)) }
        do throws(AllowedSigners.Problem) {
            try AllowedSigners.entries(text).forEach(check)
        } catch {
            requireShown(error.words)
        }
    }

    private static func attempt(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            requireShown((error as? SignatureProblem)?.words ?? "an error of another type: \(error)\u{0}")
        }
    }

    private static func check(_ signature: SSHSignature) {
        let armour = [UInt8](signature.armored.utf8)
        require((try? SSHSignature(armored: armour)) == signature, "a written signature is another one")
        check(signature.publicKey)
        let message = [UInt8]("Lockflight signs this.\n".utf8)
        for namespace in [signature.namespace, "lockflight-vectors"] {
            let rules = SignatureRules(minimumRSABits: 2048, requiresTouch: false)
            attempt {
                let key = try signature.verify(message: message, namespace: namespace, rules: rules)
                require(key == signature.publicKey, "another key is said to have signed")
            }
        }
    }

    private static func check(_ key: SSHPublicKey) {
        require((try? SSHPublicKey(line: key.line)) == key, "a written key is another one: \(key.line)")
        require((try? SSHPublicKey(blob: key.blob)) == key, "the blob of a key is another one: \(key.line)")
        require(key.fingerprint.utf8.count == 50, "a fingerprint of another length: \(key.fingerprint)")
    }

    private static func check(_ entry: AllowedSigners.Entry) {
        check(entry.key)
        require(!entry.principals.isEmpty, "nobody may sign by line \(entry.line)")
        require(!entry.principals.contains(""), "line \(entry.line) has an empty name")
        require(entry.namespaces?.isEmpty != true, "line \(entry.line) allows no namespace")
    }

    private static func requireShown(_ words: String) {
        require(words.utf8.count < 400, "too many words: \(words)")
        require(words.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }, "words that are not printable: \(words)")
    }
}
