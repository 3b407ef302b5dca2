package import CoordinatorRuntime
import Failpoints
package import Ledger
package import RolloutEngine
package import UpgradeDomain

/// The ledger as the runtime sees it.
package struct LedgerRunLog: RunLog {
    private let ledger: Ledger
    private let clock: RuntimeClock

    package init(ledger: Ledger, clock: RuntimeClock) {
        self.ledger = ledger
        self.clock = clock
    }

    package func events(of run: RunID, after sequence: UInt64) async throws -> [RecordedEvent] {
        try ledger.allEvents(of: run, after: sequence)
    }

    package func append(_ events: [RunEvent], to state: RolloutState, at wall: WallTime, epoch: Epoch?) async throws
        -> AppendOutcome
    {
        do throws(LedgerError) {
            Failpoint.beforeCommit.pass()
            let recorded = try ledger.append(
                events, to: state.definition.run, after: state.sequence, lease: epoch, at: wall,
                followedBy: OverviewKeeper(at: state))
            Failpoint.afterCommit.pass()
            return .appended(recorded)
        } catch {
            switch error.code {
            // Whoever closed it, by a cancel, appended first.
            case .conflict, .runClosed: return .conflict
            case .deposed: return .deposed
            case .absent, .cannotOpen, .fileExists, .notALedger, .untrusted, .newerSchema, .olderSchema, .busy,
                .diskFull,
                .readOnly,
                .storageFailed, .damaged, .commitUnknown, .unknownPlan, .unknownRun, .ambiguous, .leaseRequired,
                .leaseHeld, .hostClaimed, .contradiction, .tooLarge:
                throw error
            }
        }
    }

    package func origin(of epoch: Epoch) async throws -> EpochOrigin { try ledger.origin(of: epoch) }

    package func store(evidence: [UInt8]) async throws -> Digest {
        try ledger.store([evidence], at: clock.wall())[0]
    }
}
