import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct EvidenceTry: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "try", abstract: "Capture a plan file's evidence from one host and show how each item is read.",
        discussion: """
            Use it to write a plan against the real stack. Nothing is stored, claimed or changed. If a surface can not
            be read, the beginning of its answer is shown.
            Example: lockflight evidence try upgrade.yaml --host core-2
            """)

    /// How many characters of an unreadable answer are shown.
    static let shownCharacters = 400

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The plan file.", completion: .file()) var file: String
    @OptionGroup var versions: VersionOptions
    @Option(name: .long, help: "The host.") var host: String

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        let plan = try context.plan(in: file, over: inventory, versions)
        guard let entry = inventory.hosts.first(where: { $0.name.rawValue == host }) else {
            throw CommandError(.refused, "the inventory has no host '\(host)'", next: .listInventory)
        }
        let taken = try await context.trial(of: plan, on: entry, ledger)
        let isFit = taken.allSatisfy { $0.problem == nil }
        return CommandResult(
            lines: taken.flatMap { EvidenceTry.lines(of: $0, context.style) }, document: taken.map(Document.init),
            status: isFit ? .verified : .held)
    }

    static func lines(of taken: EvidenceTrial.Taken, _ style: Style) -> [TerminalText] {
        var lines = [style.bold("\(taken.capture.subject)")]
        for reading in taken.capture.surfaces {
            lines.append("  \(reading.sentence)")
            lines += reading.items.map { item -> TerminalText in
                let health = item.health == .healthy ? style.green("healthy") : style.red("\(item.health.rawValue)")
                return "      \(item.key)  \(item.value)  \(health)"
            }
            if let printed = reading.printed, reading.resultCode != 0 {
                lines += printed.map { "      | \($0)" }
            } else if reading.unknown != nil, let answer = taken.answers[reading.name], !answer.isEmpty {
                let shown = String(answer.prefix(EvidenceTry.shownCharacters))
                lines += shown.lines.map { "      | \($0)" }
                let rest = answer.count - shown.count
                if rest > 0 { lines.append("      and \(rest) more characters") }
            }
        }
        let verdict = taken.problem.map { style.red("no: \($0.code.rawValue), \($0.detail)") }
        lines.append("  a baseline: " + (verdict ?? style.green("yes")))
        return lines
    }

    private struct Document: Encodable {
        var capture: Capture
        var answers: [String: String]
        var code: HoldCode?
        var problem: String?

        init(_ taken: EvidenceTrial.Taken) {
            capture = taken.capture
            answers = Dictionary(uniqueKeysWithValues: taken.answers.map { ($0.key.rawValue, $0.value) })
            code = taken.problem?.code
            problem = taken.problem?.detail
        }
    }
}
