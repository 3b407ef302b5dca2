import ArgumentParser
import Foundation
import Glibc
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct LedgerInit: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Create an empty ledger, for yourself or for a group of operators.",
        discussion: """
            `inventory import` also creates one for yourself. Operators of one machine can share a ledger in a folder \
            that root created for their group. Its files then belong to the group (0660), and users outside the group
            are refused.
            Example: lockflight ledger init --group ops \\
              --ledger /srv/lockflight/ledger.sqlite
            """)

    @OptionGroup var options: GlobalOptions
    @Option(name: .long, help: "The group that shares the ledger.") var group: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let path = context.ledgerPath
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CommandError(
                .refused, "\(path) already exists", consequence: "Nothing was changed.", next: .listInventory)
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        if let group { try requireShared(folder, with: group) }
        let ledger = try await Ledger.openMakingFolders(at: path)
        let whose = group.map { "for the group \($0)" } ?? "for you only"
        return CommandResult(
            lines: ["created a ledger at \(path), \(whose)"],
            document: Document(ledger: ledger.id, path: path, group: group),
            next: [.importInventory(file: nil)])
    }

    /// - Throws: if the folder was not created for the group by root, because anybody could have created it.
    private func requireShared(_ folder: String, with group: String) throws {
        guard let entry = getgrnam(group) else {
            throw CommandError(
                .refused, "there is no group '\(group)' on this machine", consequence: "Nothing was created.")
        }
        var status = stat()
        let isThere = stat(folder, &status) == 0
        guard isThere, status.st_uid == 0, status.st_gid == entry.pointee.gr_gid, status.st_mode & 0o7777 == 0o2770
        else {
            throw CommandError(
                .refused, "\(folder) is not a folder that root created for the group \(group), with mode 2770",
                consequence: "Nothing was created.",
                next: .program(words: ["sudo", "install", "-d", "-m", "2770", "-g", group, "--", folder]))
        }
    }

    private struct Document: Encodable {
        var ledger: LedgerID
        var path: String
        var group: String?
    }
}
