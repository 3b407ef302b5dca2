package import CoordinatorRuntime
import Failpoints
package import Ledger
package import RolloutEngine
package import UpgradeDomain

/// The ledger as the runtime sees it.
package struct LedgerRunLog: RunLog {
    private let ledger: Ledger
    private let overviews = OverviewMemory()

    package init(ledger: Ledger) { self.ledger = ledger }

    package func events(of run: RunID, after sequence: UInt64) async throws -> [RecordedEvent] {
        try await ledger.allEvents(of: run, after: sequence)
    }

    package func append(
        _ events: [RunEvent], with evidence: [[UInt8]], to state: RolloutState, at wall: WallTime, epoch: Epoch?
    ) async throws -> AppendOutcome {
        do throws(LedgerError) {
            if !evidence.isEmpty { Failpoint.beforeEvidenceIsKept.pass() }
            Failpoint.beforeCommit.pass()
            let recorded = try await ledger.append(
                events, with: evidence, to: state.definition.run, after: state.sequence, lease: epoch, at: wall,
                followedBy: OverviewKeeper(at: state, remembering: overviews))
            Failpoint.afterCommit.pass()
            return .appended(recorded)
        } catch {
            switch error.code {
            // A cancel that closed the run was appended first.
            case .conflict, .runClosed: return .conflict
            case .deposed: return .deposed
            case .absent, .cannotOpen, .fileExists, .notALedger, .untrusted, .newerSchema, .olderSchema, .busy,
                .diskFull, .readOnly, .storageFailed, .damaged, .commitUnknown, .unknownPlan, .unknownRun,
                .unknownStatement, .ambiguous,
                .leaseRequired, .leaseHeld, .hostClaimed, .contradiction, .tooLarge:
                throw error
            }
        }
    }

    package func origin(of epoch: Epoch) async throws -> EpochOrigin { try await ledger.origin(of: epoch) }
}
