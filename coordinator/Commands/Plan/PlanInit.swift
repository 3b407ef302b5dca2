import ArgumentParser
import CoordinatorRuntime
import FileReading
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
            Example: lockflight plan init upgrade.yaml --host core-1 \\
              --health '${baseURL}/health' --version-url '${baseURL}/version' \\
              --redeploy './redeploy.sh ${to}' --rollback './redeploy.sh ${from}' \\
              --check ./check-release.sh --guardrail ./may-change.sh \\
              --path '${baseURL}/orders'
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

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        try checkPlace()
        let looked = try lookedAt(inventory)
        let draft = try draft(inventory, context)
        let taken = try await context.trial(of: try plan(draft.text(), inventory), on: looked, ledger)
        let text = draft.text(seen: seen(in: taken, of: try plan(draft.text(), inventory)))
        _ = try plan(text, inventory)
        try context.write(text, to: file)
        return CommandResult(
            lines: taken.flatMap { EvidenceTry.lines(of: $0, context.style) } + ["wrote \(file)"], document: [file],
            remarks: [
                "edit it: what was reviewed, and what the layers have of their own"
            ], next: [.addPlan(file: file, needsVersions: true)])
    }

    private var folder: String { file.cut(atLast: "/").map { $0.before.isEmpty ? "/" : String($0.before) } ?? "." }

    /// Before any question is asked.
    private func checkPlace() throws {
        if FileManager.default.fileExists(atPath: file) {
            throw CommandError(
                .refused, "\(file) exists", consequence: "Nothing was written.", next: .addPlan(file: file))
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw CommandError(
                .usage, "the folder '\(folder)' of the file '\(file)' does not exist",
                consequence: "Nothing was written.", next: .program(words: ["mkdir", "-p", "--", folder]))
        }
    }

    /// The plan of a text that is not in a file yet.
    private func plan(_ text: String, _ inventory: FleetInventory) throws -> Plan {
        do throws(FileProblems) {
            return try PlanFile.read(
                text: text, file: file, inventory: inventory, at: Context.clock.wall(),
                versions: PlanAnswers.anyVersions)
        } catch {
            throw CommandError(
                .usage,
                "the answers make no valid plan: "
                    + error.problems.map(PlanAnswers.words).joined(separator: "\n"),
                consequence: "Nothing was written.")
        }
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
        var answers = PlanAnswers(inventory: inventory, canAsk: isatty(STDIN_FILENO) == 1 && !context.isJSON)
        let name = name ?? URL(filePath: file).deletingPathExtension().lastPathComponent
        try answers.check(self.name == nil ? "the name of the file" : "--name", name) { $0.name = name }
        let evidence = try evidence(&answers)
        let version = try version(&answers)
        let walked = try answers.answer(
            path, "--path", "Which URL does what a user really does?", "${baseURL}/smoke/order"
        ) { $0.path = .http("path", url: $1) }
        let moves = try answers.answer(
            redeploy, "--redeploy", "Which command moves a host to the new version?", "./scripts/redeploy.sh ${to}"
        ) { $0.redeploy = $1 }
        let returns = try answers.answer(
            rollback, "--rollback", "Which command takes it back?", moves.replacing("${to}", with: "${from}")
        ) { $0.rollback = $1 }
        let checks = try answers.answer(
            check, "--check", "Which command exits 0 if what is on disk is what runs?", "./scripts/check-release.sh"
        ) { $0.check = $1 }
        let permits = try answers.answer(
            guardrail, "--guardrail", "Which command exits 0 if the host may change now?", "./scripts/may-change.sh"
        ) { $0.guardrail = $1 }
        try answers.requireAnswers()
        return PlanDraft(
            name: name, evidence: evidence, version: version, path: .http("path", url: walked), redeploy: moves,
            rollback: returns, check: checks, guardrail: permits, layers: answers.layers)
    }

    private func evidence(_ answers: inout PlanAnswers) throws -> [PlanDraft.Surface] {
        let urls = health.enumerated().map {
            ("--health", $1, PlanDraft.Surface.http($0 == 0 ? "health" : "health-\($0 + 1)", url: $1))
        }
        let ports = port.map { ("--port", "\($0)", PlanDraft.Surface.tcp(port: $0)) }
        let given = urls + ports + unit.map { ("--unit", $0, PlanDraft.Surface.unit($0)) }
        for (option, text, surface) in given { try answers.check(option, text) { $0.evidence = [surface] } }
        if !given.isEmpty { return given.map(\.2) }
        let url = try answers.answer(
            nil, "--health, --port or --unit", "Which URL answers 200 if all is well?", "${baseURL}/health"
        ) { $0.evidence = [.http("health", url: $1)] }
        return [.http("health", url: url)]
    }

    private func version(_ answers: inout PlanAnswers) throws -> PlanDraft.VersionPlace {
        if let versionCommand {
            try answers.check("--version-command", versionCommand) { $0.version = .command(versionCommand) }
            return .command(versionCommand)
        }
        let pointer = versionPointer
        try answers.check("--version-pointer", pointer) { $0.version = .url("http://127.0.0.1/", pointer: pointer) }
        let url = try answers.answer(
            versionURL, versionURL == nil ? "--version-url or --version-command" : "--version-url",
            "Which URL says the running version?", "${baseURL}/version"
        ) { $0.version = .url($1, pointer: pointer) }
        return .url(url, pointer: pointer)
    }
}
