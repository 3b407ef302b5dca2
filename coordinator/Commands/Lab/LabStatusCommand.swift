import ArgumentParser
import LabFleet
import SafeText
import UpgradeDomain

struct LabStatusCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what runs on each lab host now.",
        discussion: "Example: lockflight lab status"
    )

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let statuses = try await Lab.open(at: lab.folder).status()
        let rows = statuses.map { status -> [TerminalText] in
            [
                "\(status.host.name)", "\(status.host.address):\(status.host.sshPort)",
                status.isReachable ? "up" : context.style.red("down"),
                status.host.layers.map { "\($0) \(status.versions[$0] ?? "-")" }.joined(separator: ", "),
                "\(status.faults.map(\.rawValue).joined(separator: ", "))",
            ]
        }
        let table = TextTable(headers: ["HOST", "ADDRESS", "SSHD", "RUNNING", "FAULTS"], rows: rows)
        return CommandResult(
            lines: table.lines(width: context.width, style: context.style), document: statuses.map(Document.init))
    }

    private struct Document: Encodable {
        var host: HostName
        var address: String
        var isReachable: Bool
        var versions: [LayerName: String]
        var faults: [LabFault]

        init(_ status: LabHostStatus) {
            host = status.host.name
            address = status.host.address
            isReachable = status.isReachable
            versions = status.versions
            faults = status.faults
        }
    }
}
