import ArgumentParser
import LabFleet
import SafeText
import UpgradeDomain

struct LabDown: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Stop the lab and remove its folder.", discussion: "Example: lockflight lab down"
    )

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let open = try Lab.open(at: lab.folder)
        try await open.down(removing: true)
        return CommandResult(
            lines: ["the lab in \(lab.folder) was stopped and removed"], document: ["folder": lab.folder])
    }
}
