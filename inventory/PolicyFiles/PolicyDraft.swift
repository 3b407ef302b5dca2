package import Approvals
package import SSHSignatures
import SafeText
package import UpgradeDomain

/// A policy file that a person completes: from an inventory and files of allowed signers, or from the current policy.
package struct PolicyDraft: Sendable {
    /// A key, and a remark for the person who reads it.
    struct DraftKey: Sendable {
        var line: String
        var remark: String
        /// Whether it is only proposed, as a comment.
        var isComment = false
    }

    struct DraftPerson: Sendable {
        var name: Owner
        var keys: [DraftKey] = []
        var breakGlassKeys: [DraftKey] = []
        var accounts: [String] = []
        var remarks: [String] = []
    }

    private var people: [DraftPerson]
    private var signers: PolicyGroup
    private var layers: [(name: LayerName, layer: PolicyLayer)]
    private var onCall: PolicyGroup?
    private var builders: PolicyGroup?
    private var rules = PolicyRules()
    private var revokedKeys: [String] = []
    /// Lines of allowed signers that belong to nobody here.
    private var unused: [String] = []
    /// What the first lines say.
    private var head: [String]

    /// The entries of a file of allowed signers.
    package struct SignersFile: Sendable {
        package var name: String
        package var entries: [AllowedSigners.Entry]

        package init(name: String, entries: [AllowedSigners.Entry]) {
            self.name = name
            self.entries = entries
        }
    }

    /// A first policy: the owners of each layer, with the keys that the files of allowed signers have for them.
    ///
    /// A principal is an owner if it has the owner's name, or is an address with it before the `@`.
    package init(inventory: FleetInventory, signers files: [SignersFile]) {
        var names: [Owner] = []
        for owner in inventory.layers.flatMap(\.owners) where !names.contains(owner) { names.append(owner) }
        people = names.map { DraftPerson(name: $0) }
        layers = inventory.layers.map { layer in
            var owners: [Owner] = []
            for owner in layer.owners where !owners.contains(owner) { owners.append(owner) }
            return (layer.name, PolicyLayer(owners: owners, oneWayThreshold: min(2, owners.count)))
        }
        signers = PolicyGroup(people: names, threshold: min(2, max(1, names.count)))
        head = [
            "# Who may approve what. `policy check` says what is still missing; docs/reference.md has every key.",
            "# Everybody is a person with keys of their own, not a team: thresholds count people.",
        ]
        for file in files { for entry in file.entries { take(entry, of: file.name) } }
    }

    /// The current version of a policy, to be edited into the next one.
    package init(_ policy: Policy) {
        people = policy.people.sorted { $0.key < $1.key }.map { name, person in
            func keys(_ lines: [String]?) -> [DraftKey] {
                (lines ?? []).map { DraftKey(line: $0, remark: PolicyPerson.words(ofKey: $0)) }
            }
            return DraftPerson(
                name: name, keys: keys(person.keys), breakGlassKeys: keys(person.breakGlassKeys),
                accounts: person.accounts ?? [])
        }
        signers = policy.signers
        layers = policy.layers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        (onCall, builders, rules, revokedKeys) = (policy.onCall, policy.builders, policy.rules, policy.revokedKeys)
        head = ["# Version \(policy.version) of the policy, to be edited into version \(policy.version + 1)."]
    }

    private mutating func take(_ entry: AllowedSigners.Entry, of file: String) {
        var remarks = ["\(file):\(entry.line)"]
        if let namespaces = entry.namespaces { remarks.append("there only for \(namespaces.joined(separator: ", "))") }
        if entry.validAfter != nil || entry.validBefore != nil { remarks.append("there only for some time") }
        if case .rsa = entry.key.kind { remarks.append("RSA: set rules.minimumRSABits, or use another key") }
        let owners = entry.principals.compactMap { principal in
            people.firstIndex { $0.name.rawValue == principal }
                ?? people.firstIndex { $0.name.rawValue == principal.cut(at: "@").map { String($0.before) } }
        }
        let isKnown = people.contains { $0.keys.contains { $0.line == entry.key.line } }
        let words = "\(PolicyPerson.words(ofKey: entry.key.line)), \(remarks.joined(separator: ", "))"
        guard let owner = owners.first, Set(owners).count == 1, !isKnown else {
            let reason =
                isKnown ? "the key is above already" : owners.isEmpty ? "owns no layer" : "the key has several owners"
            unused.append("\(entry.principals.joined(separator: ",")): \(entry.key.line)   # \(reason), \(words)")
            return
        }
        people[owner].keys.append(
            DraftKey(
                line: entry.key.line, remark: words, isComment: people[owner].keys.count >= PolicyLimits.keysPerPerson)
        )
    }

    /// The people who have no key yet.
    package var peopleWithoutKeys: [Owner] { people.filter { $0.keys.isEmpty }.map(\.name) }

    // MARK: The file

    /// YAML.
    package var text: String {
        var lines = head + ["format: 1", ""]
        lines += ["people:"] + people.flatMap(Self.lines)
        if !unused.isEmpty {
            lines += ["  # Not taken from the files of allowed signers:"] + unused.map { "  #   \(Self.comment($0))" }
        }
        lines += [
            "", "# Who decides about this policy: version 1 needs their signatures, and so does every later one.",
            "signers: \(Self.flow(signers))", "",
            "# The owners of each layer. oneWayThreshold: how many where a plan can not take the layer back.",
            "layers:",
        ]
        lines += layers.map { name, layer in
            let only = layer.owners.count == 1 ? "   # one owner only: name a second one, and let it be 2" : ""
            return "  \(name): {owners: \(Self.names(layer.owners)), threshold: \(layer.threshold), "
                + "oneWayThreshold: \(layer.oneWayThreshold)}\(only)"
        }
        lines += [
            "", "# Who may approve a rerun or a sign-off at night in place of the owners.",
            onCall.map { "onCall: \(Self.flow($0))" } ?? "# onCall: {people: [NAME], threshold: 1}", "",
            "# Who signs the lists of a release's files.",
            builders.map { "builders: \(Self.flow($0))" } ?? "# builders: {people: [NAME], threshold: 1}", "", "rules:",
            "  notAuthor: \(rules.notAuthor)        # true: the author of a plan does not count among its approvers",
            "  notStarter: \(rules.notStarter)       # true: who starts a run does not count among its approvers",
            "  requiresTouch: \(rules.requiresTouch)     # security keys must be touched",
            rules.minimumRSABits.map { "  minimumRSABits: \($0)" }
                ?? "  # minimumRSABits: 3072   # RSA keys count from this length on; without it they do not",
            "", "# Lost and stolen keys, as `ssh-keygen -l` prints them. They stay here for ever.",
        ]
        lines += revokedKeys.isEmpty ? ["revokedKeys: []"] : ["revokedKeys:"] + revokedKeys.map { "  - \($0)" }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(_ person: DraftPerson) -> [String] {
        func list(_ key: String, _ keys: [DraftKey]) -> [String] {
            let lines = keys.map { "      \($0.isComment ? "# " : "")- \($0.line)   # \(comment($0.remark))" }
            return keys.allSatisfy(\.isComment) ? ["    \(key): []"] + lines : ["    \(key):"] + lines
        }
        let keys =
            person.keys.isEmpty
            ? ["    keys: []   # TO BE WRITTEN: a line of the person's .pub file"] : list("keys", person.keys)
        return ["  \(name(person.name)):"] + keys
            + (person.breakGlassKeys.isEmpty ? [] : list("breakGlassKeys", person.breakGlassKeys))
            + (person.accounts.isEmpty
                ? ["    # accounts: [\(person.name)]   # on the coordinator's machine, for notAuthor and notStarter"]
                : ["    accounts: [\(person.accounts.map { quoted($0) }.joined(separator: ", "))]"])
    }

    private static func flow(_ group: PolicyGroup) -> String {
        "{people: \(names(group.people)), threshold: \(group.threshold)}"
    }

    private static func names(_ people: [Owner]) -> String { "[\(people.map(name).joined(separator: ", "))]" }

    /// Names that YAML would read as no text are quoted.
    private static func name(_ name: Owner) -> String {
        ["null", "~", ""].contains(name.rawValue) || !NameGrammar.word.accepts(name.rawValue)
            ? quoted(name.rawValue) : name.rawValue
    }

    private static func quoted(_ text: String) -> String {
        "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }

    /// On one line of printable ASCII, whatever a file name or a principal has.
    private static func comment(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x20...0x7e).contains($0) ? $0 : 0x3f }, as: UTF8.self)
    }
}
