import SafeText
import Yams

/// Tags, such as `!vault` or `!!binary`: each says that a value is not the text that is written. No file of ours has such
/// values, and to read them as texts would store something else than was meant.
enum YAMLTags {
    struct Refusal: Hashable {
        var line: Int
        var tag: String

        var message: String { "the tag \(tag) is not supported" }
        var remedy: String {
            tag.begins(with: "!vault")
                ? "remove the value: a secret does not belong in this file; import an inventory of Ansible with --from ansible"
                : "write the value itself, without a tag; in a text that begins with '!', use quotation marks"
        }
    }

    private static let core = "tag:yaml.org,2002:"
    /// What the parser says of a value without a tag: nothing, or that a text in quotation marks is one.
    private static let untagged: Set<String> = ["", "\(core)str"]
    /// What it says of a key that was compared with others.
    private static let compared = untagged.union(
        ["bool", "float", "int", "merge", "null", "timestamp", "value"].map { core + $0 })

    /// Every tag below a node. A nesting of any depth takes no more of the stack.
    static func refusals(in root: Node) -> [Refusal] {
        var refusals: [Refusal] = []
        var waiting: [(node: Node, isKey: Bool)] = [(root, false)]
        while let (node, isKey) = waiting.popLast() {
            let tag: String
            switch node {
            case .scalar(let scalar): tag = scalar.tag.description
            case .sequence(let sequence):
                tag = sequence.tag.description == "\(core)seq" ? "" : sequence.tag.description
                waiting += sequence.map { ($0, false) }
            case .mapping(let mapping):
                tag = mapping.tag.description == "\(core)map" ? "" : mapping.tag.description
                for (key, value) in mapping { waiting += [(key, true), (value, false)] }
            case .alias(let alias): tag = alias.tag.description
            }
            if (isKey ? compared : untagged).contains(tag) { continue }
            let written = tag.rest(after: core).map { "!!\($0)" } ?? tag
            refusals.append(Refusal(line: node.mark?.line ?? 1, tag: written))
        }
        return refusals.sorted { $0.line < $1.line }
    }
}
