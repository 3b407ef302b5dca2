import Approvals
import CoordinatorRuntime
import Ledger
import OperatorCommands
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

    /// What open runs still wait for, and what to do about it.
    struct Waits {
        var lines: [TerminalText] = []
        var next: [OperatorCommand] = []
    }

    /// Whether the open runs of a plan go on after it was approved; if not, why.
    ///
    /// - Parameters:
    ///   - statements: the new approvals.
    ///   - people: who gave them.
    ///   - taken: the runs that have recorded one of them.
    static func waits(
        after statements: [Statement], by people: [Owner], recordedIn taken: [RunID], _ context: Context,
        _ ledger: Ledger, ofPlan plan: Digest
    ) async throws -> Waits {
        var waits = Waits()
        guard statements.contains(where: { $0.purpose == .approve }) else { return waits }
        for run in try await ledger.runs() where run.standing == .open && run.planDigest == plan {
            guard let state = try? await RunControl(context, ledger, run: run.id.rawValue).state() else { continue }
            let wait = state.wait?.wait
            guard wait != nil || taken.contains(run.id) else { continue }
            if let wait {
                let owner = people.first(where: wait.asked.contains) ?? wait.asked.first
                let place = wait.holdPoint.map { "\($0)" } ?? "\(wait.placement)"
                waits.lines.append("\(run.id) still waits before \(place): \(reason(of: wait, statements))")
                waits.next.append(
                    wait.holdPoint.map { .approveHoldPoint(plan: plan.short, point: $0, owner: owner) }
                        ?? .approvePlan(plan: plan.short, owner: owner))
            }
            if try await ledger.currentDriver(of: run.id) == nil {
                waits.lines.append("nobody drives \(run.id), so it does not go on by itself")
                waits.next.append(.resume(run: run.id))
            }
        }
        return waits
    }

    private static func reason(of wait: ApprovalWait, _ statements: [Statement]) -> String {
        if let point = wait.holdPoint, !statements.contains(where: { $0.holdPoints.contains(point) }) {
            return "this approval does not name that hold point; use --at \(point.spelled)"
        }
        if let later = statements.first(where: { $0.notBefore.time > Context.clock.wall() }) {
            return "this approval counts from \(later.notBefore) on"
        }
        return wait.lacking
    }
}
