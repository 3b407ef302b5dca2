import ArgumentParser
import Foundation
import Glibc
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct LedgerInit: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make an empty ledger, for you alone or for a group of operators.",
        discussion: """
            `inventory import` makes one for you as well. Operators of one machine share a ledger in a folder that root made for \
            their group: then its files are theirs (0660), and whoever is not in the group is refused.
            Example: lockflight ledger init --group ops --ledger /srv/lockflight/ledger.sqlite
            """)

    @OptionGroup var options: GlobalOptions
    @Option(name: .long, help: "The group of those who share it.") var group: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let path = context.ledgerPath
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CommandError(
                .refused, "\(path) is there already", consequence: "Nothing was changed.", next: .listInventory)
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        if let group { try requireShared(folder, with: group) }
        let ledger = try await Ledger.openMakingFolders(at: path)
        let whose = group.map { "for the group \($0)" } ?? "for you alone"
        return CommandResult(
            lines: ["\(path) is a ledger \(whose)"], document: Document(ledger: ledger.id, path: path, group: group),
            next: [.importInventory(file: nil)])
    }

    /// - Throws: where the folder is not one that root made for the group, as anybody could have made any other.
    private func requireShared(_ folder: String, with group: String) throws {
        guard let entry = getgrnam(group) else {
            throw CommandError(
                .refused, "there is no group '\(group)' on this machine", consequence: "Nothing was made.")
        }
        var status = stat()
        let isThere = stat(folder, &status) == 0
        guard isThere, status.st_uid == 0, status.st_gid == entry.pointee.gr_gid, status.st_mode & 0o7777 == 0o2770
        else {
            throw CommandError(
                .refused, "\(folder) is not a folder that root made for the group \(group), with mode 2770",
                consequence: "Nothing was made.",
                next: .program(words: ["sudo", "install", "-d", "-m", "2770", "-g", group, "--", folder]))
        }
    }

    private struct Document: Encodable {
        var ledger: LedgerID
        var path: String
        var group: String?
    }
}
