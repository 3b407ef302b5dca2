import AgentProtocol
import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct OutputCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "output", abstract: "Print the whole output of an operation, read from its host.",
        discussion: """
            With a host: its last step or rollback. Without a host: the operation that holds the run, else the last \
            one that was started. A guardrail's output comes before that of its step. The host keeps the first 1 MiB \
            and the last 15 MiB. The output goes to standard output, and the outcome of the operation to standard error.
            Example: lockflight output core-2 --follow
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The host. (default: the operation's host)") var host: String?
    @OptionGroup var target: RunOption
    @Option(name: .long, help: "The operation's id, as `events` shows it.") var operation: String?
    @Flag(name: .long, help: "Wait for more until the operation has ended.") var follow = false

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        let state = try await control.state()
        let intents = try await control.intents()
        let intent = try chosen(of: intents, state)
        guard let host = state.hosts[intent.placement.host] else {
            throw CommandError(.refused, "\(control.run) has no host '\(intent.placement.host)'", next: .listInventory)
        }
        let reader = try await OutputReader(context, control.ledger, hosts: [host])
        var shown: [TerminalText] = []
        let isShownAtOnce = follow && !context.isJSON
        let found: OutputReader.Found
        do throws(ContactFailure) {
            var position: Int64 = 0
            found = try await reader.read(intent.id, on: host, from: &position, follows: follow) { lines in
                if isShownAtOnce { Renderer.writeOutput(lines) } else { shown += lines }
            }
        } catch {
            await reader.close()
            throw CommandError(
                .unreachable, "\(host.name) can not be asked: \(error.message)",
                consequence: "The output is kept there. The last lines of what failed are in the status.",
                next: .status(run: control.run))
        }
        await reader.close()
        return try result(of: intent, found, shown, context, control.run)
    }

    private func chosen(of intents: [OperationIntent], _ state: RolloutState) throws -> OperationIntent {
        let run = state.definition.run
        var candidates = intents
        if let host {
            guard state.hosts[HostName(host)] != nil else {
                throw CommandError(.refused, "\(run) has no host '\(host)'", next: .statusOfEveryHost(run: run))
            }
            candidates = intents.filter { $0.placement.host.rawValue == host }
        }
        if let operation {
            guard let intent = candidates.first(where: { $0.id.rawValue == operation }) else {
                throw CommandError(
                    .refused, "\(run) has not started an operation '\(operation)'\(host.map { " on \($0)" } ?? "")",
                    next: .showEvents(run: run))
            }
            return intent
        }
        let holding = state.holdingFailure.flatMap { $0.ranLast ?? $0.operation }
        let isOfHold = host == nil && state.boundaryRecord != nil
        let held = isOfHold ? candidates.first { $0.id == holding } : nil
        // What never began printed nothing.
        let begun = candidates.last { state.operations[$0.id]?.hasOutput == true }
        guard let intent = held ?? begun ?? candidates.last else {
            throw CommandError(
                .refused, "\(run) has not started an operation\(host.map { " on \($0)" } ?? "") yet",
                next: .status(run: run))
        }
        return intent
    }

    private func result(
        of intent: OperationIntent, _ found: OutputReader.Found, _ lines: [TerminalText], _ context: Context,
        _ run: RunID
    ) throws -> CommandResult {
        let document = Document(
            operation: intent.id, placement: intent.placement, output: found.text, droppedBytes: found.droppedBytes,
            record: found.record)
        var result = CommandResult(lines: lines, document: document)
        let words = "\(intent.sentence)"
        switch found.standing {
        case .ended(let record):
            result.remarks = ["\(words): \(record.outcome.sentence); \(counted(record.outputBytes, "byte"))"]
        case .running:
            result.remarks = ["\(words): still running; --follow waits for its end"]
        case .tombstoned: result.remarks = ["\(words): it never ran"]
        case .unknown:
            throw CommandError(
                .refused, "\(intent.placement.host) has no entry for \(intent.id) in its journal",
                consequence: "It was not started there yet, or the journal was cleaned since.",
                next: .showEvents(run: run))
        }
        return result
    }

    private struct Document: Encodable {
        var operation: OperationID
        var placement: Placement
        var output: String
        /// How many bytes in the middle the host did not keep.
        var droppedBytes: Int64
        /// Nil while it runs.
        var record: OperationRecord?
    }
}
