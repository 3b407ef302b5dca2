import ArgumentParser
import CoordinatorRuntime
import Foundation
import Glibc
import OperatorCommands
import PlanFiles
import RunViews
import SafeText
import UpgradeDomain

struct PlanInit: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a first plan file, with what one host answers to it.",
        discussion: """
            What no option says is asked on a terminal. One host is looked at, and what it answered is written beside \
            each surface. An existing file is never overwritten.
            Example: lockflight plan init upgrade.yaml --host core-1
            Example: lockflight plan init upgrade.yaml --host core-1 --health '${baseURL}/health' \\
              --version-url '${baseURL}/version' --redeploy './redeploy.sh ${to}' --rollback './redeploy.sh ${from}' \\
              --check ./check-release.sh --guardrail ./may-change.sh --path '${baseURL}/orders'
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The plan file.", completion: .file()) var file: String
    @Option(name: .long, help: "The host to look at. (default: the first one of the first layer)") var host: String?
    @Option(name: .long, help: "The name of the plan, without the version. (default: the file's)") var name: String?
    @Option(name: .long, help: "A URL that answers 200 if all is well. May be repeated.") var health: [String] = []
    @Option(name: .long, help: "A port that must accept. May be repeated.") var port: [Int] = []
    @Option(name: .long, help: "A systemd unit that must run. May be repeated.") var unit: [String] = []
    @Option(name: .long, help: "The URL where the running version is read.") var versionURL: String?
    @Option(name: .long, help: "Where the version is in that answer.") var versionPointer = "/version"
    @Option(name: .long, help: "A command that prints the running version, if no URL says it.")
    var versionCommand: String?
    @Option(name: .long, help: "The URL of something that a user really does.") var path: String?
    @Option(name: .long, help: "The command that moves a host to the new version.") var redeploy: String?
    @Option(name: .long, help: "The command that takes it back.") var rollback: String?
    @Option(name: .long, help: "The command that exits 0 if what is on disk is what runs.") var check: String?
    @Option(name: .long, help: "The command that exits 0 if the host may change now.") var guardrail: String?

    /// While the file leaves the versions out, they only serve to read it.
    private static let anyVersions = VersionArguments(from: "0", to: "1")

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        if FileManager.default.fileExists(atPath: file) {
            throw CommandError(
                .refused, "\(file) exists", consequence: "Nothing was written.", next: .addPlan(file: file))
        }
        let looked = try lookedAt(inventory)
        let draft = try draft(inventory, context)
        func plan(_ text: String) throws -> Plan {
            try PlanFile.read(
                text: text, file: file, inventory: inventory, at: Context.clock.wall(), versions: PlanInit.anyVersions)
        }
        let taken = try await context.trial(of: try plan(draft.text()), on: looked, ledger)
        let text = draft.text(seen: seen(in: taken, of: try plan(draft.text())))
        _ = try plan(text)
        try context.write(text, to: file)
        return CommandResult(
            lines: taken.flatMap { EvidenceTry.lines(of: $0, context.style) } + ["wrote \(file)"], document: [file],
            remarks: [
                "edit it: what was reviewed, and what the layers have of their own"
            ], next: [.addPlan(file: file, needsVersions: true)])
    }

    private func lookedAt(_ inventory: FleetInventory) throws -> UpgradeDomain.Host {
        let first = inventory.layers.lazy.compactMap { inventory.hosts(in: $0.name).first }.first
        guard let found = host.map({ name in inventory.hosts.first { $0.name.rawValue == name } }) ?? first else {
            throw CommandError(.refused, "the inventory has no host '\(host ?? "")'", next: .listInventory)
        }
        return found
    }

    /// What was seen of each surface, and of the version, in a few words.
    private func seen(in taken: [EvidenceTrial.Taken], of plan: Plan) -> [String: String] {
        let readings = taken.flatMap(\.capture.surfaces)
        return Dictionary(
            readings.map { reading in
                let name = reading.role == .version ? "version" : reading.name.rawValue
                let items = reading.items.map { $0.key == "result" ? $0.value : "\($0.key) \($0.value)" }
                return (name, reading.unknown.map { "unknown: \($0.detail)" } ?? items.joined(separator: ", "))
            }
        ) { first, _ in first }
    }

    // MARK: What the plan says

    private func draft(_ inventory: FleetInventory, _ context: Context) throws -> PlanDraft {
        var questions = PlanQuestions(canAsk: isatty(STDIN_FILENO) == 1 && !context.isJSON)
        let named = URL(filePath: file).deletingPathExtension().lastPathComponent
        var evidence = health.enumerated().map {
            PlanDraft.Surface.http($0 == 0 ? "health" : "health-\($0 + 1)", url: $1)
        }
        evidence += port.map(PlanDraft.Surface.tcp) + unit.map(PlanDraft.Surface.unit)
        if evidence.isEmpty {
            let url = try questions.answer(
                "--health, --port or --unit", "Which URL answers 200 if all is well?", "${baseURL}/health")
            evidence = [.http("health", url: url)]
        }
        var version = versionCommand.map(PlanDraft.VersionPlace.command)
        if version == nil {
            let url =
                try versionURL
                ?? questions.answer(
                    "--version-url or --version-command", "Which URL says the running version?", "${baseURL}/version")
            version = .url(url, pointer: versionPointer)
        }
        let walked =
            try path
            ?? questions.answer(
                "--path", "Which URL does what a user really does?", "${baseURL}/smoke/order")
        let moves =
            try redeploy
            ?? questions.answer(
                "--redeploy", "Which command moves a host to the new version?", "./scripts/redeploy.sh ${to}")
        let returns =
            try rollback
            ?? questions.answer(
                "--rollback", "Which command takes it back?", moves.replacing("${to}", with: "${from}"))
        let checks =
            try check
            ?? questions.answer(
                "--check", "Which command exits 0 if what is on disk is what runs?", "./scripts/check-release.sh")
        let permits =
            try guardrail
            ?? questions.answer(
                "--guardrail", "Which command exits 0 if the host may change now?", "./scripts/may-change.sh")
        try questions.requireAnswers()
        return PlanDraft(
            name: name ?? named, evidence: evidence, version: version ?? .command(""), path: .http("path", url: walked),
            redeploy: moves, rollback: returns, check: checks, guardrail: permits,
            layers: inventory.layers.map(\.name).filter { !inventory.hosts(in: $0).isEmpty })
    }
}

/// Questions to the person at the terminal. Without one, the options that would have answered them are collected.
private struct PlanQuestions {
    let canAsk: Bool
    private var missing: [String] = []

    init(canAsk: Bool) { self.canAsk = canAsk }

    /// - Parameter usual: taken if nothing is typed.
    mutating func answer(_ option: String, _ question: String, _ usual: String) throws -> String {
        guard canAsk, let typed = try Renderer.ask([], "\(question) [\(usual)]") else {
            missing.append(option)
            return usual
        }
        return typed.isEmpty ? usual : typed
    }

    func requireAnswers() throws {
        if missing.isEmpty { return }
        throw CommandError(
            .usage, "without a terminal to ask on, give \(missing.joined(separator: ", "))",
            consequence: "Nothing was written.")
    }
}
