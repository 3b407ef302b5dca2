import CoordinatorRuntime
import FileReading
import Foundation
import PlanFiles
import SafeText
import UpgradeDomain

/// The answers that a first plan is made of. Each is checked where it is given: a plan in which nothing else could be wrong is
/// read with it.
struct PlanAnswers {
    let inventory: FleetInventory
    let canAsk: Bool
    private var missing: [String] = []

    /// How often one question is asked.
    private static let attempts = 10
    /// While the file leaves the versions out, they only serve to read it.
    static let anyVersions = VersionArguments(from: "0", to: "1")

    init(inventory: FleetInventory, canAsk: Bool) {
        self.inventory = inventory
        self.canAsk = canAsk
    }

    var layers: [LayerName] { inventory.layers.map(\.name).filter { !inventory.hosts(in: $0).isEmpty } }

    /// Checks what an option says.
    /// - Throws: what is wrong with it, under the option's name.
    func check(_ option: String, _ given: String, _ put: (inout PlanDraft) -> Void) throws {
        guard let problem = problem(put) else { return }
        throw CommandError(.usage, "\(option) '\(given)': \(problem)", consequence: "Nothing was written.")
    }

    /// What an option says, or the person at the terminal, who is asked again after an answer that no plan can have.
    ///
    /// - Parameter usual: taken if nothing is typed.
    mutating func answer(
        _ given: String?, _ options: String, _ question: String, _ usual: String,
        _ put: (inout PlanDraft, String) -> Void
    ) throws -> String {
        if let given {
            try check(options, given) { put(&$0, given) }
            return given
        }
        var lines: [TerminalText] = []
        for _ in 0..<PlanAnswers.attempts {
            guard canAsk, let typed = try Renderer.ask(lines, "\(question) [\(usual)]") else {
                missing.append(options)
                return usual
            }
            let answer = typed.isEmpty ? usual : typed
            guard let problem = problem({ put(&$0, answer) }) else { return answer }
            lines = ["\(problem)"]
        }
        throw CommandError(
            .usage, "the question '\(question)' has no valid answer", consequence: "Nothing was written.")
    }

    func requireAnswers() throws {
        if missing.isEmpty { return }
        throw CommandError(
            .usage, "without a terminal to ask on, give \(missing.joined(separator: ", "))",
            consequence: "Nothing was written.")
    }

    private func problem(_ put: (inout PlanDraft) -> Void) -> String? {
        var draft = PlanDraft(
            name: "plan", evidence: [.tcp(port: 1)], version: .command("./version"),
            path: .http("path", url: "http://127.0.0.1/"), redeploy: "./redeploy", rollback: "./rollback",
            check: "./check", guardrail: "./guardrail", layers: layers)
        put(&draft)
        do throws(FileProblems) {
            _ = try PlanFile.read(
                text: draft.text(), file: "plan", inventory: inventory, at: Context.clock.wall(),
                versions: PlanAnswers.anyVersions)
            return nil
        } catch {
            return error.problems.first.map(PlanAnswers.words)
        }
    }

    /// A problem without its place in a file that does not exist.
    static func words(of problem: FileProblem) -> String {
        let place = problem.message.range(of: " (in ", options: .backwards)
        return "\(problem.message[..<(place?.lowerBound ?? problem.message.endIndex)]); \(problem.remedy)"
    }
}
