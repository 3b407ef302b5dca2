import Approvals
import FileReading
import SSHSignatures
import SafeText
import UpgradeDomain

// Every key of a policy file. How to add one: see `Key`.

/// The whole file.
struct PolicyKeys: KeyTable {
    static let title = "policy"
    static let meaning =
        "The whole file: who may approve what, with which keys. Its version, its time and its ledger are added when it is signed."

    let format = Key(
        "format", .integer(1...1), presence: .required("write 'format: 1'"), "The version of this format.",
        example: "1")
    let people = Key(
        "people", .map(.personName, .mapping(PersonKeys())),
        presence: .required("write everybody who signs, each with a key"), default: [],
        "Everybody who signs, by name. A person, not a team: thresholds count people.",
        example: """
            {ana: {keys: [\(PolicyExamples.keys[0])]}, \
            bo: {keys: [\(PolicyExamples.keys[1])]}}
            """)
    let signers = Key(
        "signers", .mapping(GroupKeys()), presence: .required("write who decides about the policy: {people: [NAME]}"),
        "Who decides about the policy itself: its next version needs their signatures.", example: "{people: [ana]}")
    let layers = Key(
        "layers", .map(.layerName, .mapping(PolicyLayerKeys())),
        presence: .required("write each layer with its owners: {LAYER: {owners: [NAME]}}"), default: [],
        "By layer of the inventory, who approves changes of it.",
        example: "{core: {owners: [ana], oneWayThreshold: 1}}")
    let onCall = Key(
        "onCall", .mapping(GroupKeys()), "Who may approve a rerun or a sign-off in place of a layer's owners.",
        otherwise: "the owners only", example: "{people: [ana]}")
    let builders = Key(
        "builders", .mapping(GroupKeys()), "Who signs the lists of a release's files.",
        otherwise: "releases need no signature", example: "{people: [ana]}")
    let rules = Key(
        "rules", .mapping(RuleKeys()), "What holds for every approval.", example: "{notAuthor: true}")
    let revokedKeys = Key(
        "revokedKeys", .list(.fingerprint), default: [],
        "Keys that count no more: the fingerprint, the whole line that `ssh-keygen -lf` prints, or the public key. A revoked key stays revoked.",
        example: "[\"SHA256:NIHMjTxloFXVKLJJG1Uoi6ROsTLYK5J6SP8m7xNjrzU\"]")
}

/// Public keys whose private halves nobody has.
enum PolicyExamples {
    static let keys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMjKCJpAkyyd2D9nLG4qcaX2Se484Mz31wgSuYap2nUA",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII5s2s3jmX38yDMyWXhIQxprAhda6GwdKEpexNmyLOwf",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJTYLrMToG3mfVbCkLbMkZPPINezvD35JHqmS2CB6qt5",
    ]
}

struct PersonKeys: KeyTable {
    static let title = "person"
    static let meaning = "A person who signs."

    let keys = Key(
        "keys", .list(.publicKey, count: 1...PolicyLimits.keysPerPerson, isReportedEmpty: false),
        presence: .required("write the person's public keys, each as in its .pub file"), default: [],
        "The person's public keys, each as in its `.pub` file: ed25519, ECDSA on P-256, security keys of both kinds, and RSA where `minimumRSABits` is set.",
        example: "[\(PolicyExamples.keys[0])]")
    let breakGlassKeys = Key(
        "breakGlassKeys", .list(.publicKey, count: 1...PolicyLimits.keysPerPerson),
        "Keys for break-glass only: a rollback without guardrails. They count for nothing else, and no other key counts for it.",
        otherwise: "the person has none", example: "[\(PolicyExamples.keys[2])]")
    let accounts = Key(
        "accounts", .list(.name("account", .login), count: 1...PolicyLimits.accountsPerPerson),
        "The person's accounts on the coordinator's machine, by which authors of plans and starters of runs are known.",
        otherwise: "none are known", example: "[ana]")
}

/// A group of people.
struct GroupKeys: KeyTable {
    static let title = "group"
    static let meaning = "Some people, and how many of them it takes."

    let people = Key(
        "people", .list(.name("person", .word), count: 1...PolicyLimits.peopleCount),
        presence: .required("name at least one person"), default: [], "Their names under `people`.", example: "[ana]")
    let threshold = Key(
        "threshold", .integer(1...PolicyLimits.peopleCount), default: 1,
        "How many of them must sign: different people, whichever keys they use.", example: "1")
}

struct PolicyLayerKeys: KeyTable {
    static let title = "policyLayer"
    static let meaning = "Who approves changes of a layer."

    let owners = Key(
        "owners", .list(.name("person", .word), count: 1...PolicyLimits.peopleCount),
        presence: .required("name at least one person"), default: [], "Their names under `people`.", example: "[ana]")
    let threshold = Key(
        "threshold", .integer(1...PolicyLimits.peopleCount), default: 1, "How many of them must sign.", example: "1")
    let oneWayThreshold = Key(
        "oneWayThreshold", .integer(1...PolicyLimits.peopleCount), default: 2,
        "How many must sign where a plan can not take the layer back.", example: "1")
}

struct RuleKeys: KeyTable {
    static let title = "rules"
    static let meaning = "What holds for every approval."

    let notAuthor = Key(
        "notAuthor", .flag, default: false,
        "Whether the author of a plan does not count among those who approve it.", example: "true")
    let notStarter = Key(
        "notStarter", .flag, default: false, "Whether who starts a run does not count among those who approve it.",
        example: "true")
    let requiresTouch = Key(
        "requiresTouch", .flag, default: true, "Whether security keys must be touched for a signature.",
        example: "false")
    let minimumRSABits = Key(
        "minimumRSABits", .integer(PolicyLimits.rsaBits), "The shortest RSA key that counts, in bits.",
        otherwise: "RSA keys do not count", example: "3072")
}

// MARK: Forms

extension TextRule {
    fileprivate static let personName = TextRule("person name", grammar: .word)
    fileprivate static let layerName = TextRule("layer name", grammar: .machine)
}

extension Form where Value == String {
    /// A public key; type and base64, without its comment.
    fileprivate static var publicKey: Form {
        text(TextRule("public key", pattern: "^(ssh-|ecdsa-|sk-)")) { reader, field, text in
            do throws(SignatureProblem) {
                return try SSHPublicKey(line: text).line
            } catch {
                reader.report(
                    field.line, "\(field.name) is no key that counts: \(error.words)", "write it as in its .pub file")
                return nil
            }
        }
    }

    /// A fingerprint alone, or the line that `ssh-keygen -l` prints: `256 SHA256:... comment (ED25519)`.
    private static func fingerprint(pasted text: String) -> String? {
        let words = text.fields(separatedBy: " ").map(String.init)
        let isLine = words.count > 1 && words[0].utf8.allSatisfy { (0x30...0x39).contains($0) }
        let word = isLine ? words[1] : text
        return Policy.isFingerprint(word) ? word : nil
    }

    /// A fingerprint, or the key that has it.
    fileprivate static var fingerprint: Form {
        text(TextRule("fingerprint or public key", pattern: "^(SHA256:|[0-9]+ SHA256:|ssh-|ecdsa-|sk-)")) {
            reader, field, text in
            if let own = fingerprint(pasted: text) { return own }
            if let key = try? SSHPublicKey(line: text) { return key.fingerprint }
            reader.report(
                field.line, "\(field.name) is no fingerprint and no public key",
                "write SHA256:... or the whole line, as `ssh-keygen -lf` prints it")
            return nil
        }
    }
}
