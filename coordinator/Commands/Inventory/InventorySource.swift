import ArgumentParser
import FleetAccess
import Foundation
import Glibc
import Inventory
import InventoryImport
import OperatorCommands
import SafeText
import UpgradeDomain

/// Where the hosts of an import come from.
enum InventoryFormat: String, CaseIterable, ExpressibleByArgument {
    /// Our own file.
    case lockflight
    case ansible
    case sshConfig = "ssh-config"
    case csv

    /// The format of a file that says it itself; anything else is read as ours.
    init(of text: String, path: String) {
        self = AnsibleList.isPrinted(in: text) ? .ansible : path.lowercased().ends(with: ".csv") ? .csv : .lockflight
    }
}

/// Reads the inventory that a command names.
struct InventorySource {
    let path: String
    /// Nil where the file says it itself.
    let format: InventoryFormat?
    let context: Context

    /// What an import reads: our own file, or an inventory from elsewhere with its mapping.
    enum Read {
        case own(InventoryDraft)
        case mapped(MappedInventory)

        var draft: InventoryDraft {
            switch self {
            case .own(let draft): draft
            case .mapped(let mapped): mapped.draft
            }
        }

        func resolved(by answers: SSHConfigAnswers) throws -> FleetInventory {
            switch self {
            case .own(let draft): try draft.resolved(by: answers)
            case .mapped(let mapped): try mapped.resolved(by: answers)
            }
        }
    }

    /// - Parameter map: the path of the mapping file, if there is one.
    func read(map: String?) async throws -> Read {
        let mapping = try map.map { try InventoryMapping.read(text: try context.readFile($0), file: $0) }
        guard let foreign = try await foreign(with: mapping) else {
            if let map {
                throw CommandError(
                    .refused, "\(path) is an inventory file of Lockflight, which needs no mapping",
                    consequence: "Nothing was stored. If it is not, say what it is with --from.",
                    next: .importInventory(file: map == path ? nil : path))
            }
            return .own(InventoryFile.read(text: try context.readFile(path), file: path))
        }
        if mapping == nil, foreign.layers.isEmpty {
            throw CommandError(
                .refused, "\(path) does not say which layers there are and who owns them",
                consequence:
                    "Nothing was stored. Write a mapping file with --init-map, edit it, and import with --map.",
                next: .initMap(file: path, format: format?.rawValue))
        }
        return .mapped(MappedInventory(of: foreign, with: mapping))
    }

    /// The hosts of an inventory that is not ours; nil if it is.
    func foreign(with mapping: InventoryMapping?) async throws -> ForeignInventory? {
        if isFolder, format != .ansible {
            throw CommandError(
                .refused, "\(path) is a folder",
                consequence:
                    "Nothing was stored. If it is an inventory of Ansible, add --from ansible: its plugins and "
                    + "scripts then run as you.", next: .program(words: ["ls", "-l", "--", path]))
        }
        // What Ansible reads may be a program, or a list of hosts.
        let isAnsibles = isFolder || format == .ansible
        let text =
            isAnsibles
            ? (try? context.readFile(path, limitBytes: AnsibleList.listBytes)) ?? ""
            : try context.readFile(path, limitBytes: AnsibleList.listBytes)
        switch format ?? InventoryFormat(of: text, path: path) {
        case .lockflight:
            // What has no version is no inventory file of ours: whose, only a person can say.
            guard !text.trimmed.isEmpty else {
                throw CommandError(
                    .refused, "\(path) is empty", consequence: "Nothing was stored.",
                    next: .program(words: ["ls", "-l", "--", path]))
            }
            guard format != nil || text.holds("version") else {
                throw CommandError(
                    .refused, "\(path) is not an inventory file of Lockflight: it says no version",
                    consequence:
                        "Nothing was stored. If it is from elsewhere, say what it is: --from ansible, ssh-config or csv.",
                    next: .program(words: ["ls", "-l", "--", path]))
            }
            return nil
        case .ansible: return try await ansible(text, mapping)
        case .csv: return try HostTable.read(text: text, file: path, mapping: mapping)
        case .sshConfig: return try sshConfig(text)
        }
    }

    /// Relative words of Include are in the user's own ssh folder (ssh_config(5)).
    private func sshConfig(_ text: String) throws -> ForeignInventory {
        let own = ("~/.ssh" as NSString).expandingTildeInPath
        let file = URL(fileURLWithPath: path).standardized.path
        var inventory = try SSHConfigList.read(text: text, file: path) { word in
            let pattern = (word as NSString).expandingTildeInPath
            return GlobbedFiles.paths(pattern.begins(with: "/") ? pattern : "\(own)/\(pattern)")
        } included: { path in
            var isFolder: ObjCBool = false
            let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            return isThere && !isFolder.boolValue ? try context.readFile(path, mayStream: false) : nil
        }
        // OpenSSH reads its own file by itself, and the system's after it.
        inventory.sshConfig = file == "\(own)/config" ? nil : file
        return inventory
    }

    private var isFolder: Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// Its saved list, or what the operator's own Ansible says of it.
    private func ansible(_ text: String, _ mapping: InventoryMapping?) async throws -> ForeignInventory {
        if AnsibleList.isPrinted(in: text) { return try AnsibleList(Array(text.utf8), file: path).inventory }
        var list = try AnsibleList(try await AnsibleProgram().list(inventory: path), file: path)
        let templates = list.templates(for: mapping)
        if !templates.isEmpty {
            try list.take(templatesResolvedIn: try await AnsibleProgram().values(of: templates, inventory: path))
        }
        return list.inventory
    }
}

/// The files that a pattern of a shell stands for (glob(3)).
enum GlobbedFiles {
    static func paths(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { index in found.gl_pathv[index].map { String(cString: $0) } }
    }
}
