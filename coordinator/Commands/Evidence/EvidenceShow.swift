import ArgumentParser
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct EvidenceShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show the last capture of a host, surface by surface.",
        discussion: "Example: lockflight evidence show --host core-2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "The host.") var host: String
    @Flag(name: .long, help: "Also print the raw answers.") var raw = false

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        let state = try await control.state()
        var lines: [TerminalText] = []
        var captures: [Capture] = []
        for placement in try state.known(host) {
            guard let capture = state.placements[placement]?.latest else { continue }
            captures.append(capture)
            lines += [context.style.bold("\(placement)") + "  taken \(capture.takenAt.rfc3339)"]
            if let omits = capture.omits {
                lines.append("  not due in this look: \(omits.map(\.rawValue).joined(separator: ", "))")
            }
            for reading in capture.surfaces {
                lines.append("  \(reading.sentence)")
                lines += reading.items.map { "      \($0.key)  \($0.value)  \($0.health.rawValue)" }
                lines += (reading.printed ?? []).map { "      | \($0)" }
                if raw, let digest = reading.rawDigest, let bytes = try await control.ledger.blob(digest) {
                    lines += String(decoding: bytes, as: UTF8.self).lines.map { "      | \($0)" }
                }
            }
        }
        if captures.isEmpty { lines = ["no evidence from \(host) yet"] }
        return CommandResult(lines: lines, document: captures)
    }
}
