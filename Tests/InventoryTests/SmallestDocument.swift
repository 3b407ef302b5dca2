import FileReading

@testable import Inventory
@testable import PlanFiles
@testable import PolicyFiles

/// The smallest file that a key's example fits in: the required keys with their own examples, along the way to the key's
/// mapping.
struct SmallestDocument {
    let place: KeyTree.Place
    let key: any KeyDeclaration
    /// What the key has in place of its example; nil for the example.
    var instead: String?

    /// What a mapping needs beyond its required keys to be valid by itself.
    private static let needed: [String: [(key: String, value: String)]] = [
        "plan": [("from", "\"1.4.0\""), ("to", "\"1.5.0\"")],
        "component": [("http", "{url: \"${baseURL}/version\"}")],
        "layerSurface": [("tcp", "{port: 5432}")],
        "host": [("layers", "[core]")], "policyLayer": [("oneWayThreshold", "1")],
    ]

    /// What an example needs elsewhere in its file.
    private static let elsewhere = [
        "group": "groups: {hardened: {port: 2222}}", "groups": "groups: {hardened: {}, eu: {}}",
    ]

    /// YAML.
    var text: String {
        var value = flow(members(of: place.table, with: key, as: instead ?? key.example))
        for step in place.way.dropFirst().reversed() {
            value = wrapped(value, in: step.key.type, under: step.key.name)
            value = flow(members(of: step.table, with: step.key, as: value))
        }
        var root: [(String, String)]
        if let step = place.way.first {
            value = wrapped(value, in: step.key.type, under: step.key.name)
            root = members(of: step.table, with: step.key, as: value)
        } else {
            root = members(of: place.table, with: key, as: instead ?? key.example)
        }
        if place.title == LayerDefaultsKeys.title {
            // A layer that takes the key from the defaults.
            let layer = LayerKeys().declarations.filter { $0.isNeeded && $0.name != key.name }
            let bare = flow(layer.map { ($0.name, $0.example) })
            root = root.map { $0.0 == "layers" ? ($0.0, "[\(bare)]") : $0 }
        }
        let more = place.title == "host" ? SmallestDocument.elsewhere[key.name].map { [$0] } ?? [] : []
        return (root.map { "\($0.0): \($0.1)" } + more).joined(separator: "\n") + "\n"
    }

    /// The required keys of a mapping and one more, with its company.
    private func members(
        of table: any KeyTable, with key: any KeyDeclaration, as value: String
    ) -> [(String, String)] {
        let sources = SourceKeys().names
        let others = table.alternatives.contains(key.name) ? table.alternatives : []
        var members = table.declarations.filter {
            $0.isNeeded && !others.contains($0.name) && !(key.name == "oneWay" && $0.name == "rollback")
        }.map { ($0.name, $0.example) }
        func put(_ name: String, _ value: String) {
            members.removeAll { $0.0 == name }
            members.append((name, value))
        }
        for (name, value) in SmallestDocument.needed[type(of: table).title] ?? []
        where !(sources.contains(name) && sources.contains(key.name)) {
            put(name, value)
        }
        if let company = key.company, let colon = company.firstRange(of: ": ") {
            put(String(company[..<colon.lowerBound]), String(company[colon.upperBound...]))
        }
        put(key.name, value)
        if let first = table.alternatives.first, !members.contains(where: { table.alternatives.contains($0.0) }),
            let example = table.declarations.first(where: { $0.name == first })?.example
        {
            put(first, example)
        }
        return members
    }

    private func flow(_ members: [(String, String)]) -> String {
        "{\(members.map { "\($0.0): \($0.1)" }.joined(separator: ", "))}"
    }

    /// A value of a type that holds a mapping.
    private func wrapped(_ mapping: String, in type: ValueType, under key: String) -> String {
        switch type {
        case .text, .word, .integer, .number, .flag: return ""
        case .mapping: return mapping
        case .list(let element, let count):
            let inner = wrapped(mapping, in: element, under: key)
            let bastion = "{name: bastion-1, layers: [core], workingDirectory: /srv, baseURL: \"http://127.0.0.1:80\"}"
            if key == "hosts" { return "[\(inner), \(bastion)]" }
            // Each layer has a step of that name.
            if key == "steps", !inner.contains("name: redeploy") { return "[\(inner), {name: redeploy, run: [./x]}]" }
            // An item agrees with another one.
            let other = inner.replacing("item: scheduler", with: "item: api")
            return "[\(count == 2...2 ? "\(other), " : "")\(inner)]"
        case .map(let names, let element):
            let name = ["version": "\"1.4.0\"", "layer name": "core", "person name": "ana"][names.words] ?? "some-name"
            return "{\(name): \(wrapped(mapping, in: element, under: key))}"
        case .either(let types):
            return types.first { !$0.tables.isEmpty }.map { wrapped(mapping, in: $0, under: key) } ?? ""
        }
    }
}

extension KeyDeclaration {
    /// Whether a mapping by itself must have the key.
    fileprivate var isNeeded: Bool {
        switch presence {
        case .required, .inherited: true
        case .optional: false
        }
    }
}
