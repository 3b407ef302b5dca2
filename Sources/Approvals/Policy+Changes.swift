import SSHSignatures
import SafeText
import UpgradeDomain

extension Policy {
    /// What this version changes, one sentence each, without capital and full stop; empty if nothing but its version and
    /// time.
    package func changes(since old: Policy) -> [String] {
        peopleChanges(since: old) + Self.changes(of: "signers", from: old.signers, to: signers)
            + layerChanges(since: old) + Self.changes(of: "onCall", from: old.onCall, to: onCall)
            + Self.changes(of: "builders", from: old.builders, to: builders) + rules.changes(since: old.rules)
            + Set(revokedKeys).subtracting(old.revokedKeys).sorted().map { "the key \($0) is revoked" }
            + Set(old.revokedKeys).subtracting(revokedKeys).sorted().map { "the key \($0) is no longer revoked" }
    }

    private func peopleChanges(since old: Policy) -> [String] {
        Set(people.keys).union(old.people.keys).sorted().flatMap { name -> [String] in
            switch (old.people[name], people[name]) {
            case (nil, nil): []
            case (_?, nil): ["\(name) is removed"]
            case (nil, let new?):
                ["\(name) is added"] + new.changes(since: PolicyPerson(keys: []), name)
            case (let before?, let new?): new.changes(since: before, name)
            }
        }
    }

    private func layerChanges(since old: Policy) -> [String] {
        Set(layers.keys).union(old.layers.keys).sorted().flatMap { name -> [String] in
            let (before, after) = (old.layers[name], layers[name])
            let group = Self.changes(
                of: "layer \(name)", from: before.map { PolicyGroup(people: $0.owners, threshold: $0.threshold) },
                to: after.map { PolicyGroup(people: $0.owners, threshold: $0.threshold) })
            guard let after, before?.oneWayThreshold != after.oneWayThreshold else { return group }
            return group + [
                "layer \(name): where a plan can not be taken back, it takes \(after.oneWayThreshold)"
                    + (before.map { ", not \($0.oneWayThreshold)" } ?? "")
            ]
        }
    }

    /// What changes in a group of people.
    private static func changes(of name: String, from old: PolicyGroup?, to new: PolicyGroup?) -> [String] {
        guard let new else { return old == nil ? [] : ["\(name): nobody any more"] }
        guard let old else { return ["\(name): \(new.words)"] }
        let (before, after) = (Set(old.people), Set(new.people))
        return after.subtracting(before).sorted().map { "\(name): \($0) joins" }
            + before.subtracting(after).sorted().map { "\(name): \($0) leaves" }
            + (old.threshold == new.threshold ? [] : ["\(name): it takes \(new.threshold), not \(old.threshold)"])
    }
}

extension PolicyGroup {
    /// As in `2 of ana, bo, cleo`.
    package var words: String { "\(threshold) of \(people.map(\.rawValue).joined(separator: ", "))" }
}

extension PolicyPerson {
    /// Whether an ordinary key is none of these, which are named by their fingerprints.
    func hasKey(outside revoked: Set<String>) -> Bool {
        keys.contains { line in
            (try? SSHPublicKey(line: line)).map { !revoked.contains($0.fingerprint) } ?? false
        }
    }

    /// A public key for people: its fingerprint and its kind.
    package static func words(ofKey line: String) -> String {
        guard let key = try? SSHPublicKey(line: line) else { return "an unreadable key" }
        return "\(key.fingerprint) (\(key.kind))"
    }

    fileprivate func changes(since old: PolicyPerson, _ name: Owner) -> [String] {
        func compare(_ old: [String], _ new: [String], _ words: (String) -> String) -> [String] {
            Set(new).subtracting(old).sorted().map { "\(name): \(words($0)) is added" }
                + Set(old).subtracting(new).sorted().map { "\(name): \(words($0)) is removed" }
        }
        return compare(old.keys, keys) { "the key \(Self.words(ofKey: $0))" }
            + compare(old.breakGlassKeys ?? [], breakGlassKeys ?? []) {
                "the break-glass key \(Self.words(ofKey: $0))"
            } + compare(old.accounts ?? [], accounts ?? []) { "the account \($0)" }
    }
}

extension PolicyRules {
    /// Each rule in words.
    package var words: [String] {
        [
            notAuthor
                ? "the author of a plan does not count among those who approve it"
                : "the author of a plan may approve it",
            notStarter
                ? "who starts a run does not count among those who approve it" : "who approves a run may start it",
            requiresTouch ? "security keys must be touched" : "security keys need no touch",
            minimumRSABits.map { "RSA keys count from \($0) bits on" } ?? "RSA keys do not count",
        ]
    }

    fileprivate func changes(since old: PolicyRules) -> [String] {
        zip(old.words, words).filter { $0 != $1 }.map { "rules: \($1); before: \($0)" }
    }
}
