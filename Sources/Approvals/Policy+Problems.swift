import SSHSignatures
import SafeText
package import UpgradeDomain

/// What is wrong with a policy document, and where.
package struct PolicyFlaw: Hashable, Sendable, CustomStringConvertible {
    /// A part of the document, for whoever knows its line in a file.
    package enum Place: Hashable, Sendable {
        case document, signers, onCall, builders, rules, revokedKeys
        case person(Owner)
        case layer(LayerName)
    }

    package var place: Place
    /// What is wrong.
    package var message: String
    /// What to write instead.
    package var remedy: String

    package var description: String { "\(message); \(remedy)" }
}

/// The limits of a policy document, besides its bytes (``SignedText/bytes``).
package enum PolicyLimits {
    package static let peopleCount = 1_000
    package static let keysPerPerson = 16
    package static let accountsPerPerson = 16
    package static let layerCount = 1_000
    package static let revokedKeyCount = 4_096
    package static let version = 1_000_000
    /// The shortest RSA key that a policy may let count, and the longest that can be verified.
    package static let rsaBits = 3_072...8_192
}

extension Policy {
    /// Every rule that the document breaks, in its own order; empty for a valid one.
    package var problems: [PolicyFlaw] {
        var check = PolicyCheck(policy: self)
        check.run()
        return check.flaws
    }

    /// Reads a document and checks its rules.
    package static func read(_ text: String) throws(PolicyProblem) -> Policy {
        try known.result(for: Array(text.utf8)) { () throws(PolicyProblem) in try readAnew(text) }
    }

    /// By their bytes: two strings of other bytes may be equal.
    private static let known = LastResults<[UInt8], Policy>(limit: SignedText.rememberedCount)

    private static func readAnew(_ text: String) throws(PolicyProblem) -> Policy {
        let policy: Policy
        do {
            policy = try SignedText.read(Policy.self, from: text, format: Policy.currentFormat)
        } catch {
            throw .unreadable(error)
        }
        guard policy.purpose == .policy else { throw .wrongPurpose(policy.purpose) }
        let flaws = policy.problems
        guard flaws.isEmpty else { throw .flawed(flaws) }
        return policy
    }

    /// The text that is signed.
    package func text() throws(PolicyProblem) -> String {
        do {
            return try SignedText.write(self)
        } catch {
            throw .unreadable(.invalid("\(error)"))
        }
    }
}

/// One pass over a document that collects what is wrong.
private struct PolicyCheck {
    let policy: Policy
    var flaws: [PolicyFlaw] = []
    /// Whose each key is, by its line.
    private var owners: [String: String] = [:]
    private var accounts: [String: Owner] = [:]

    init(policy: Policy) { self.policy = policy }

    private mutating func report(_ place: PolicyFlaw.Place, _ message: String, _ remedy: String) {
        flaws.append(PolicyFlaw(place: place, message: message, remedy: remedy))
    }

    mutating func run() {
        checkDocument()
        for (name, person) in policy.people.sorted(by: { $0.key < $1.key }) { check(name, person) }
        check(policy.signers, .signers, "signers", "decide about the policy itself")
        if policy.layers.isEmpty {
            report(
                .document, "no layer has owners", "write 'layers:' with at least one layer: nobody could approve a run")
        }
        for (name, layer) in policy.layers.sorted(by: { $0.key < $1.key }) { check(name, layer) }
        if let group = policy.onCall { check(group, .onCall, "onCall", "approve reruns") }
        if let group = policy.builders { check(group, .builders, "builders", "sign releases") }
        if let bits = policy.rules.minimumRSABits, !PolicyLimits.rsaBits.contains(bits) {
            report(
                .rules, "rules.minimumRSABits is \(bits)",
                "write a number from \(PolicyLimits.rsaBits.lowerBound) to \(PolicyLimits.rsaBits.upperBound)")
        }
        checkRevokedKeys()
    }

    private mutating func checkDocument() {
        if policy.format != Policy.currentFormat {
            report(.document, "the format is \(policy.format)", "write \(Policy.currentFormat)")
        }
        if policy.purpose != .policy { report(.document, "the purpose is \(policy.purpose.rawValue)", "write policy") }
        if !(1...PolicyLimits.version).contains(policy.version) {
            report(.document, "the version is \(policy.version)", "write a number from 1 to \(PolicyLimits.version)")
        }
        if policy.people.isEmpty || policy.people.count > PolicyLimits.peopleCount {
            report(
                .document,
                "the policy names \(policy.people.count == 0 ? "nobody" : counted(policy.people.count, "person"))",
                "write 1 to \(PolicyLimits.peopleCount) under 'people'")
        }
        if policy.layers.count > PolicyLimits.layerCount {
            report(
                .document, "the policy has \(counted(policy.layers.count, "layer"))",
                "write at most \(PolicyLimits.layerCount)")
        }
        if let text = try? policy.text(), text.utf8.count > SignedText.bytes {
            report(
                .document, "the policy has \(counted(text.utf8.count, "byte")) as it is signed",
                "write at most \(SignedText.bytes): fewer people, keys or layers")
        }
    }

    // MARK: People

    private mutating func check(_ name: Owner, _ person: PolicyPerson) {
        let place = PolicyFlaw.Place.person(name)
        if !NameGrammar.word.accepts(name.rawValue) {
            report(place, "'\(name)' is not a valid person name", NameGrammar.word.words)
        }
        checkKeys(person.keys, of: name, "keys")
        if let keys = person.breakGlassKeys { checkKeys(keys, of: name, "breakGlassKeys") }
        guard let own = person.accounts else { return }
        if own.isEmpty || own.count > PolicyLimits.accountsPerPerson {
            report(
                place, "\(name) has \(counted(own.count, "account"))",
                "write 1 to \(PolicyLimits.accountsPerPerson), or leave 'accounts' out")
        }
        for account in own {
            if !NameGrammar.login.accepts(account) {
                report(place, "'\(account)' is not a valid account name", NameGrammar.login.words)
            }
            if let other = accounts.updateValue(name, forKey: account) {
                let words =
                    other == name
                    ? "the account \(account) of \(name) is there twice"
                    : "\(other) and \(name) have the same account \(account)"
                report(place, words, "write it once: it says who a person is")
            }
        }
    }

    private mutating func checkKeys(_ keys: [String], of name: Owner, _ list: String) {
        let place = PolicyFlaw.Place.person(name)
        if keys.isEmpty || keys.count > PolicyLimits.keysPerPerson {
            report(
                place, keys.isEmpty ? "\(name) has no \(list)" : "\(name) has \(keys.count) under \(list)",
                "write 1 to \(PolicyLimits.keysPerPerson), each as in a .pub file"
                    + (list == "keys" ? "" : ", or leave '\(list)' out"))
        }
        for (index, line) in keys.enumerated() { check(line, "\(list)[\(index + 1)] of \(name)", of: name, list) }
    }

    private mutating func check(_ line: String, _ words: String, of name: Owner, _ list: String) {
        let place = PolicyFlaw.Place.person(name)
        let key: SSHPublicKey
        do throws(SignatureProblem) {
            key = try SSHPublicKey(line: line)
        } catch {
            return report(place, "\(words) is no key that counts: \(error.words)", "write it as in its .pub file")
        }
        if !key.line.isSpelled(line) {
            report(place, "\(words) has more than its type and its base64", "leave out the rest")
        }
        if case .rsa(let bits) = key.kind {
            if policy.rules.minimumRSABits == nil {
                report(
                    place, "\(words) is an RSA key, and RSA keys do not count",
                    "use an ed25519 or ECDSA key, or set rules.minimumRSABits")
            } else if let minimum = policy.rules.minimumRSABits, bits < minimum {
                report(
                    place, "\(words) is an RSA key of \(bits) bits, and rules.minimumRSABits is \(minimum)",
                    "use a longer key")
            }
        }
        if let other = owners.updateValue("\(list) of \(name)", forKey: key.line) {
            report(
                place, "the key \(key.fingerprint) is in the \(other) and in the \(list) of \(name)",
                "a key is one person's, for one use: write it once")
        }
        if policy.revokedKeys.contains(key.fingerprint) {
            report(
                place, "the key \(key.fingerprint) of \(name) is also under revokedKeys",
                "remove it from the person's \(list)")
        }
    }

    // MARK: Groups

    private mutating func check(_ group: PolicyGroup, _ place: PolicyFlaw.Place, _ name: String, _ task: String) {
        checkNames(group.people, place, "\(name).people", task)
        checkThreshold(group.threshold, of: group.people, place, "\(name).threshold")
    }

    private mutating func check(_ name: LayerName, _ layer: PolicyLayer) {
        let place = PolicyFlaw.Place.layer(name)
        if !NameGrammar.machine.accepts(name.rawValue) {
            report(place, "'\(name)' is not a valid layer name", NameGrammar.machine.words)
        }
        checkNames(layer.owners, place, "layers.\(name).owners", "approve changes of it")
        checkThreshold(layer.threshold, of: layer.owners, place, "layers.\(name).threshold")
        checkThreshold(layer.oneWayThreshold, of: layer.owners, place, "layers.\(name).oneWayThreshold")
        if layer.oneWayThreshold < layer.threshold {
            report(
                place, "layers.\(name).oneWayThreshold is \(layer.oneWayThreshold), less than its threshold",
                "write at least \(layer.threshold): what can not be taken back needs no fewer people")
        }
    }

    private mutating func checkNames(_ names: [Owner], _ place: PolicyFlaw.Place, _ list: String, _ task: String) {
        if names.isEmpty { report(place, "\(list) is empty", "name the people who \(task)") }
        if Set(names).count < names.count { report(place, "\(list) names a person twice", "name everybody once") }
        for name in Set(names).sorted() where policy.people[name] == nil {
            report(place, "\(list) names \(name), who is not under 'people'", "add the person with a key there")
        }
    }

    private mutating func checkThreshold(
        _ threshold: Int, of names: [Owner], _ place: PolicyFlaw.Place, _ key: String
    ) {
        let count = Set(names).count
        guard threshold < 1 || threshold > count, count > 0 else { return }
        report(
            place,
            "\(key) is \(threshold), and there \(count == 1 ? "is" : "are") \(count == 1 ? "1 person" : "\(count) people")",
            "write 1\(count > 1 ? " to \(count)" : ""), or name more people")
    }

    // MARK: Revocations

    private mutating func checkRevokedKeys() {
        let keys = policy.revokedKeys
        if keys.count > PolicyLimits.revokedKeyCount {
            report(
                .revokedKeys, "revokedKeys has \(counted(keys.count, "key"))",
                "write at most \(PolicyLimits.revokedKeyCount)")
        }
        for key in keys where !Policy.isFingerprint(key) {
            report(.revokedKeys, "'\(key)' is no fingerprint", "write SHA256:... as `ssh-keygen -l` prints it")
        }
        if keys != Set(keys).sorted() {
            report(.revokedKeys, "revokedKeys is not sorted, or names a key twice", "sort it")
        }
    }
}

extension Policy {
    /// Whether a text is a key's fingerprint as OpenSSH writes it: the base64 of a SHA-256 without padding.
    package static func isFingerprint(_ text: String) -> Bool {
        guard let digest = text.rest(after: "SHA256:") else { return false }
        return digest.utf8.count == 43
            && digest.utf8.allSatisfy { byte in
                (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
                    || byte == 0x2b || byte == 0x2f
            }
    }
}
