import CoordinatorRuntime
import Ledger
import RolloutEngine
import RunRecord
import SafeText
import UpgradeDomain

/// Hands what people have signed, or claimed at hold points, to the runs that are open.
enum SignedRuns {
    /// Records in every open run what the ledger has for it and the run lacks. So a run that waits goes on, whoever drives
    /// it.
    ///
    /// - Parameter plan: only runs of this plan; nil for all, after a new version of the policy.
    /// - Returns: the runs in which something was recorded.
    static func present(_ context: Context, _ ledger: Ledger, ofPlan plan: Digest? = nil) async throws -> [RunID] {
        var taken: [RunID] = []
        for run in try await ledger.runs() where run.standing == .open && (plan.map { $0 == run.planDigest } ?? true) {
            do {
                let control = try await RunControl(context, ledger, run: run.id.rawValue)
                if try await control.presentNews() { taken.append(run.id) }
            } catch {
                // The others must learn of it all the same.
                Renderer.remark("\(run.id) could not record it: \(CommandError(reporting: error).message)")
            }
        }
        return taken
    }

    /// What a command says about the runs that took something.
    static func lines(_ runs: [RunID]) -> [TerminalText] {
        runs.map { "\($0) has recorded it" }
    }
}
