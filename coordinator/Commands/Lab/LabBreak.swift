import ArgumentParser
import LabFleet
import SafeText
import UpgradeDomain

struct LabBreak: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "break", abstract: "Inject a fault into a lab host.",
        discussion: """
            Faults: \(LabFault.allCases.map(\.rawValue).joined(separator: ", "))
            Example: lockflight lab break core-2 service-unhealthy --to 1.6.0
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions
    @Argument(help: "The host.") var host: String
    @Argument(help: "The fault.") var fault: String
    @Option(name: .customLong("to"), help: "The version whose upgrade will hit the fault.") var target = "1.5.0"
    @Option(name: .long, help: "The layer. (default: the host's first)") var layer: String?

    func validate() throws {
        guard LabFault(rawValue: fault) != nil else {
            throw ValidationError(
                "'\(fault)' is not a fault; use one of: \(LabFault.allCases.map(\.rawValue).joined(separator: ", "))")
        }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let chosen = LabFault(rawValue: fault) ?? .redeployFails
        try await Lab.open(at: lab.folder).inject(
            chosen, on: HostName(host), layer: layer.map { LayerName($0) }, target: Version(target))
        return CommandResult(
            lines: [
                "\(host) now has the fault \(fault); a rollout to \(target) will be held with \(chosen.expectedHoldCode)"
            ],
            document: ["host": host, "fault": fault, "expectedHoldCode": chosen.expectedHoldCode])
    }
}
