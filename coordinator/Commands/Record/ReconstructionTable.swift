import AgentProtocol
import ArgumentParser
import CoordinatorRuntime
import Ledger
import RunViews
import SafeText
import UpgradeDomain

enum ReconstructionTable {
    static func lines(of operations: [ReconstructedOperation], _ context: Context) -> [TerminalText] {
        if operations.isEmpty { return ["nothing was reconstructed"] }
        let rows = operations.map { operation -> [TerminalText] in
            [
                "\(operation.host)", "\(operation.operation)", "\(operation.state.sentence)",
                "\(operation.planDigest?.short ?? "-")",
            ]
        }
        return TextTable(headers: ["HOST", "OPERATION", "RECONSTRUCTED", "PLAN"], rows: rows)
            .lines(width: context.width, style: context.style)
    }
}

extension ReconstructedOperation.State {
    var sentence: String {
        switch self {
        case .running: "running"
        case .ended(let outcome): outcome.sentence
        case .tombstoned: "never ran"
        }
    }
}

extension JournalEntry {
    func reconstructed(on host: HostName) -> ReconstructedOperation {
        let known: ReconstructedOperation.State =
            switch state {
            case .running: .running
            case .ended(let outcome): .ended(outcome)
            case .tombstoned: .tombstoned
            }
        return ReconstructedOperation(
            host: host, operation: operation, state: known, planDigest: planDigest, chainHead: chainHead)
    }
}
