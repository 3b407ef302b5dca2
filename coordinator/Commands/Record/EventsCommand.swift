import ArgumentParser
import ContentDigest
import CoordinatorRuntime
import RolloutEngine
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct EventsCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "List the recorded events of a run, in order.",
        discussion: "Example: lockflight events r-7k3fq2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "Only events after this sequence number.") var after: UInt64 = 0

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        let events = try await control.log.events(of: control.run, after: after)
        let rows = events.map { recorded -> [TerminalText] in
            [
                "\(recorded.sequence)", "\(recorded.recordedAt.rfc3339)", "\(recorded.hash.short)",
                "\(recorded.event.sentence)",
            ]
        }
        let table = TextTable(headers: ["#", "TIME", "HASH", "EVENT"], rows: rows)
        return CommandResult(lines: table.lines(width: context.width, style: context.style), document: events)
    }
}
