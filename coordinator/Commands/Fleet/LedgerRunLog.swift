import CoordinatorRuntime
import Failpoints
import Ledger
import RolloutEngine
import UpgradeDomain

/// The ledger as the runtime sees it.
struct LedgerRunLog: RunLog {
    let ledger: Ledger
    let clock: RuntimeClock

    func events(of run: RunID, after sequence: UInt64) async throws -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        while true {
            let page = try ledger.events(of: run, after: events.last?.sequence ?? sequence)
            events += page
            if page.count < LedgerLimits.eventsPerRead { return events }
        }
    }

    func append(_ events: [RunEvent], to state: RolloutState, at wall: WallTime, epoch: Epoch?) async throws
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

    func origin(of epoch: Epoch) async throws -> EpochOrigin { try ledger.origin(of: epoch) }

    func store(evidence: [UInt8]) async throws -> Digest {
        try ledger.store([evidence], at: clock.wall())[0]
    }
}
