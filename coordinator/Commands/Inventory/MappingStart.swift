import Foundation
import InventoryImport
import OperatorCommands
import SafeText

/// Writes a mapping file to edit, for one inventory from elsewhere.
struct MappingStart {
    let source: InventorySource
    /// Where it is written.
    let path: String

    func written() async throws -> CommandResult {
        if FileManager.default.fileExists(atPath: path) {
            throw CommandError(
                .refused, "\(path) exists", consequence: "Nothing was written. It may have been edited.",
                next: .importMapped(file: source.path, format: source.format?.rawValue, map: path))
        }
        guard let foreign = try await source.foreign(with: nil) else {
            throw CommandError(
                .refused, "\(source.path) is read as an inventory file of Lockflight, which needs no mapping",
                consequence: "Nothing was written. If it is not, say what it is with --from.",
                next: .importInventory(file: source.path))
        }
        let suggestion = MappingSuggestion(for: foreign, owner: source.context.user)
        try source.context.write(suggestion.text, to: path)
        let layers = suggestion.layers.map { layer -> TerminalText in
            "layer \(layer.name): \(counted(layer.hosts, "host")) of \(counted(layer.groups.count, "group")) "
                + "(\(layer.groups.joined(separator: ", ")))"
        }
        let left = suggestion.leftGroups.reduce(0) { $0 + $1.hosts }
        return CommandResult(
            lines: ["wrote \(path)"] + layers,
            document: Document(
                file: path, layers: suggestion.layers.map { .init(name: $0.name, groups: $0.groups, hosts: $0.hosts) },
                hostsInNoLayer: left),
            remarks: (left > 0 ? ["\(counted(left, "host")) in no layer yet"] : [])
                + ["edit it: layers and their order, owners, working directories and base URLs"],
            next: [.importMapped(file: source.path, format: source.format?.rawValue, map: path)])
    }

    private struct Document: Encodable {
        struct Layer: Encodable {
            var name: String
            var groups: [String]
            var hosts: Int
        }

        var file: String
        var layers: [Layer]
        var hostsInNoLayer: Int
    }
}
