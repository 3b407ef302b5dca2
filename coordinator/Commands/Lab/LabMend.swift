import ArgumentParser
import LabFleet
import SafeText
import UpgradeDomain

struct LabMend: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "mend", abstract: "Remove every fault of a lab host.",
        discussion: "Example: lockflight lab mend core-2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions
    @Argument(help: "The host.") var host: String

    func perform(_ context: Context) async throws -> CommandResult {
        try await Lab.open(at: lab.folder).mend(HostName(host))
        return CommandResult(lines: ["\(host) has no faults any more"], document: ["host": host])
    }
}
