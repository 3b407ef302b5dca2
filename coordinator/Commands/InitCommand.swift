import ArgumentParser
import Foundation
import Inventory
import OperatorCommands
import SafeText

struct InitCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a commented inventory and plan to start from.",
        discussion: """
            Edit both, then import the inventory. Existing files are never overwritten.
            Example: lockflight init upgrades
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The folder, created if needed. (default: the current one)", completion: .directory)
    var folder: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let folder = folder ?? "."
        let files = StarterFile.allCases.map {
            (starter: $0, path: folder == "." ? $0.rawValue : "\(folder)/\($0.rawValue)")
        }
        if let present = files.first(where: { FileManager.default.fileExists(atPath: $0.path) }) {
            throw CommandError(
                .refused, "\(present.path) exists", consequence: "Nothing was written.",
                next: .program(words: ["ls", "-l", "--", folder]))
        }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for file in files {
                try Data(file.starter.text.utf8).write(to: URL(filePath: file.path), options: .withoutOverwriting)
            }
        } catch {
            throw CommandError(
                .failure, "\(folder) could not be written: \(error.localizedDescription)",
                consequence: "Some of the files may be missing.", next: .program(words: ["ls", "-la", "--", folder]))
        }
        return CommandResult(
            lines: files.map { "wrote \($0.path)" }, document: files.map(\.path),
            remarks: ["edit both: your hosts, and how they are upgraded"],
            next: [.importInventory(file: files[0].path)])
    }
}
