import ContentDigest
import SafeText
package import UpgradeDomain

/// How one plan differs from another, in the words of plan files. An owner who approved the first reads what is new in the second.
package struct PlanDifference: Sendable {
    /// One difference: where, and what was there before and is there now; nil for nothing.
    package struct Change: Codable, Hashable, Sendable {
        /// Such as `layer core, step redeploy, timeoutSeconds`.
        package var place: String
        package var before: String?
        package var after: String?
    }

    /// Of an entry of a list as a whole; what it says follows.
    package static let added = "added"
    package static let removed = "removed"
    /// How many differing files of a release are named.
    package static let filesNamed = 20

    /// In the order of a plan's parts: what it says as a whole, then layer by layer.
    package private(set) var changes: [Change] = []

    package init(from old: Plan, to new: Plan) throws {
        compare(try PlanDifference.document(old), try PlanDifference.document(new), at: [], key: "")
    }

    private static func document(_ plan: Plan) throws -> JSONValue {
        var plan = plan
        // Their digests say whether they differ.
        plan.files = plan.files?.map { CarriedFile(name: $0.name, sha256: $0.sha256, text: "") }
        for index in plan.layers.indices {
            let signatures = plan.layers[index].release?.signatures ?? []
            plan.layers[index].release?.signatures = signatures.map { Digest.sha256(of: Array($0.utf8)).rawValue }
        }
        return try CanonicalJSON.decode(JSONValue.self, from: try CanonicalJSON.encode(plan))
    }

    private mutating func compare(_ old: JSONValue?, _ new: JSONValue?, at place: [String], key: String) {
        if old == new { return }
        // A version pair, a command line and the files of a release are read as a whole.
        let (before, after) = (whole(old, key), whole(new, key))
        if before != nil && after != nil || key == "files" && (before ?? after) != nil {
            changes.append(Change(place: words(place), before: before, after: after))
            if before != nil, after != nil { compareFiles(old, new, at: place, key: key) }
            return
        }
        switch (old, new) {
        case (.object, .object), (.object, nil), (nil, .object):
            let (before, after) = (members(old), members(new))
            for name in PlanDifference.ordered(Set(before.keys).union(after.keys)) {
                compare(before[name], after[name], at: place + PlanDifference.part(name, of: key), key: name)
            }
        case (.array(let before), .array(let after)) where isListOfEntries(before + after):
            compareEntries(before, after, at: place, key: key)
        case (.array(let before), nil) where isListOfEntries(before): compareEntries(before, [], at: place, key: key)
        case (nil, .array(let after)) where isListOfEntries(after): compareEntries([], after, at: place, key: key)
        default:
            let (before, after) = (text(old, key), text(new, key))
            if before != nil || after != nil {
                changes.append(Change(place: words(place), before: before, after: after))
            }
        }
    }

    /// The files of a release that differ, if they are few. A new release changes most of them.
    private mutating func compareFiles(_ old: JSONValue?, _ new: JSONValue?, at place: [String], key: String) {
        guard key == "files" else { return }
        let (before, after) = (members(old), members(new))
        let differing = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
        guard differing.count <= PlanDifference.filesNamed else { return }
        for name in differing {
            changes.append(
                Change(
                    place: words(place.dropLast() + [singular(key, name)]), before: text(before[name], ""),
                    after: text(after[name], "")))
        }
    }

    private mutating func compareEntries(_ old: [JSONValue], _ new: [JSONValue], at place: [String], key: String) {
        func named(_ entries: [JSONValue]) -> [(name: String, entry: JSONValue)] {
            var seen: [String: Int] = [:]
            return entries.enumerated().map { position, entry in
                let name = PlanDifference.name(of: entry, in: key) ?? "\(position + 1)"
                seen[name, default: 0] += 1
                let count = seen[name] ?? 1
                return (count > 1 ? "\(name) (\(count))" : name, entry)
            }
        }
        let (before, after) = (named(old), named(new))
        let around = place.dropLast()
        let kept = Set(before.map(\.name)).intersection(after.map(\.name))
        let (was, now) = (before.map(\.name).filter(kept.contains), after.map(\.name).filter(kept.contains))
        if was != now {
            changes.append(
                Change(
                    place: words(place + ["order"]), before: was.joined(separator: ", "),
                    after: now.joined(separator: ", ")))
        }
        for (name, entry) in after {
            let earlier = before.first { $0.name == name }?.entry
            if earlier == nil {
                changes.append(
                    Change(place: words(around + [singular(key, name)]), before: nil, after: PlanDifference.added))
            }
            compare(earlier, entry, at: around + [singular(key, name)], key: "")
        }
        for (name, _) in before where !kept.contains(name) {
            changes.append(
                Change(place: words(around + [singular(key, name)]), before: PlanDifference.removed, after: nil))
        }
    }

    // MARK: Words

    private static let order = [
        "name", "version", "changeClass", "reviews", "evidence", "materialization", "guardrails", "rollbackGuardrails",
        "files", "representativePath", "exclusions", "waivers", "agreements", "minimumFreeDiskMebibytes",
        "holdPoints", "layers",
    ]

    private static func ordered(_ names: Set<String>) -> [String] {
        names.sorted { (place(of: $0), $0) < (place(of: $1), $1) }
    }

    /// Behind the others for what is a part of something.
    private static func place(of member: String) -> Int { order.firstIndex(of: member) ?? order.count }

    /// How a member is called in a plan file; nothing for what the file does not write.
    private static func part(_ member: String, of key: String) -> [String] {
        // These have keys of the plan's author.
        if ["environment", "headers", "secretHeaders", "worksWith", "approved", "require"].contains(key) {
            return [member]
        }
        return switch member {
        case "_0", "source", "observe", "command": []
        case "arguments": ["run"]
        case "reader": ["read"]
        default: [member]
        }
    }

    private static func name(of entry: JSONValue, in key: String) -> String? {
        func text(_ member: String) -> String? { entry.child(member)?.scalarText }
        let parts: [String?] =
            switch key {
            case "reviews": [text("title")]
            case "exclusions": [text("host")]
            case "waivers": [text("surface"), text("item"), text("host")]
            case "expects": [text("surface"), text("item")]
            case "requires": [text("path")]
            default: [text("name")]
            }
        let given = parts.compactMap { $0 }
        return given.isEmpty ? nil : given.joined(separator: " ")
    }

    private func singular(_ key: String, _ name: String) -> String {
        let word =
            switch key {
            case "evidence": "evidence"
            case "rollbackGuardrails": "rollback guardrail"
            case let plural where plural.utf8.last == UInt8(ascii: "s"):
                String(decoding: plural.utf8.dropLast(), as: UTF8.self)
            default: key
            }
        return "\(word) \(name)"
    }

    private func words(_ place: some Sequence<String>) -> String { place.joined(separator: ", ") }

    private func members(_ value: JSONValue?) -> [String: JSONValue] {
        if case .object(let members)? = value { members } else { [:] }
    }

    private func isListOfEntries(_ elements: [JSONValue]) -> Bool {
        elements.contains { if case .object = $0 { true } else { false } }
    }

    /// What is read at once; nil for what is compared part by part.
    private func whole(_ value: JSONValue?, _ key: String) -> String? {
        if key == "files", case .object(let files)? = value {
            let manifest = ReleaseManifest(files: files.mapValues { Digest($0.scalarText ?? "") })
            return "\(counted(files.count, "file")), \(manifest.digest)"
        }
        guard case .object(let members)? = value, key == "version", let from = members["from"]?.scalarText,
            let to = members["to"]?.scalarText
        else { return nil }
        return "\(from) to \(to)"
    }

    private func text(_ value: JSONValue?, _ key: String) -> String? {
        switch value {
        case nil, .null, .array([]): nil
        case .array(let elements):
            key == "arguments"
                ? ShellText.line(elements.compactMap(\.scalarText))
                : elements.map { text($0, "") ?? "none" }.joined(separator: ", ")
        case .object(let members):
            members.sorted { $0.key < $1.key }.map { "\($0.key) \(text($0.value, $0.key) ?? "none")" }
                .joined(separator: ", ")
        case .bool, .integer, .number, .string: value?.scalarText
        }
    }
}
