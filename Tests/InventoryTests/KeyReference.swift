import FileReading

/// The page that describes every key, from the declarations.
struct KeyReference {
    static let path = "docs/reference.md"

    /// Markdown.
    static var text: String {
        """
        # Reference: every key of inventory, plan and policy

        This page is made from the declarations that the reader itself uses, as are the JSON Schemas for editors,
        [inventory.schema.json](../inventory/schema/inventory.schema.json),
        [plan.schema.json](../inventory/schema/plan.schema.json) and
        [policy.schema.json](../inventory/schema/policy.schema.json). A test compares them, and reads every example below.

        Whole files with comments:

        - the small [inventory](../inventory/Inventory/Starter/fleet.yaml) and
          [plan](../inventory/Inventory/Starter/upgrade.yaml) that `lockflight init` writes
        - a stack of PostgreSQL, redis, applications and nginx: [inventory](../inventory/examples/real-stack/fleet.yaml)
          and [plan](../inventory/examples/real-stack/upgrade.yaml), which [real-stack.md](real-stack.md) follows
        - [inventory](../inventory/examples/inventory.yaml), [plan](../inventory/examples/plan.yaml) and
          [policy](../inventory/examples/policy.yaml) with most keys

        **Placeholders.** In a plan's commands, URLs and paths `${...}` is filled in for each host: `host`, `address`,
        `layer`, `run`, `from`, `to`, `baseURL`, `authority`, `workingDirectory`, and `var.NAME` for a variable of the
        host. In an inventory: `host`, `address` and `var.NAME`, and `layer` in a `baseURL`. `$${...}` is a literal
        `${...}`. **JSON Pointers** are paths into an answer, such as `/data/services`; `""` is the whole of it. Files
        are YAML without anchors and aliases.

        """ + KeyTree.all.map(section).joined()
    }

    private static func section(_ tree: KeyTree) -> String {
        tree.places.map { place in
            let uses = tree.uses(of: place.title)
            let word = tree.name.prefix(1).uppercased() + tree.name.dropFirst()
            let used = Dictionary(grouping: uses, by: \.key).sorted { $0.key < $1.key }.map { key, places in
                "`\(key)` of \(places.map { reference(to: $0.in, in: tree) }.joined(separator: ", "))"
            }
            var lines = [
                "", uses.isEmpty ? "## \(word)" : "### \(word): \(place.title)", "",
                Swift.type(of: place.table).meaning,
            ]
            if !used.isEmpty { lines[3] += " Under \(used.joined(separator: "; "))." }
            if !place.table.alternatives.isEmpty { lines[3] += " Exactly one of \(list(place.table.alternatives))." }
            if !place.table.choices.isEmpty { lines[3] += " At least one of \(list(place.table.choices))." }
            lines += ["", "| key | type | if not written | meaning | example |", "|---|---|---|---|---|"]
            lines += place.table.declarations.map { row($0, in: tree) }
            return lines.joined(separator: "\n") + "\n"
        }.joined()
    }

    private static func row(_ key: any KeyDeclaration, in tree: KeyTree) -> String {
        let company = key.company.map { ", beside \(code($0))" } ?? ""
        let cells = [
            code(key.name), type(key.type, in: tree), otherwise(key), key.meaning,
            code("\(key.name): \(key.example)") + company,
        ]
        return "| \(cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ")) |"
    }

    private static func otherwise(_ key: any KeyDeclaration) -> String {
        switch (key.presence, key.otherwise) {
        case (.required, _): "**required**"
        case (.inherited, _): "**required**, unless inherited"
        case (.optional, .value(let json)): code(json)
        case (.optional, .words(let words)): words
        case (.optional, .nothing): "nothing"
        }
    }

    private static func type(_ type: ValueType, in tree: KeyTree) -> String {
        switch type {
        case .text(let rule): rule.words + (rule.bytes.map(bytes) ?? "")
        case .word(let words): list(words)
        case .integer(let range) where range.count == 1: "the number \(range.lowerBound)"
        case .integer(let range):
            range.upperBound == Int.max
                ? "whole number from \(range.lowerBound)" : "whole number, \(range.lowerBound) to \(range.upperBound)"
        case .number(let least): least.map { "number from \(Int($0))" } ?? "number"
        case .flag: "`true` or `false`"
        case .list(let element, let count):
            "list\(count?.upperBound == 2 ? " of 2" : ""): \(self.type(element, in: tree))"
        case .map(let names, let element): "mapping, \(names.words): \(self.type(element, in: tree))"
        case .mapping(let table): "mapping: " + reference(to: Swift.type(of: table).title, in: tree)
        case .either(let types): types.map { self.type($0, in: tree) }.joined(separator: "; or ")
        }
    }

    private static func bytes(_ range: ClosedRange<Int>) -> String {
        range.upperBound == Int.max ? "" : ", \(range.lowerBound) to \(range.upperBound) bytes"
    }

    private static func reference(to title: String, in tree: KeyTree) -> String {
        let isRoot = tree.places[0].title == title
        return "[\(title)](#\(isRoot ? tree.name : "\(tree.name)-\(title.lowercased())"))"
    }

    private static func list(_ words: [String]) -> String { words.map(code).joined(separator: ", ") }

    private static func code(_ text: String) -> String { "`\(text)`" }
}
