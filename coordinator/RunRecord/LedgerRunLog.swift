package import CoordinatorRuntime
import Failpoints
package import Ledger
package import RolloutEngine
package import UpgradeDomain

/// The ledger as the runtime sees it. Its calls wait for the disk, on an executor of their own: never where connections live.
package actor LedgerRunLog: RunLog {
    private let ledger: Ledger
    private let executor: any SerialExecutor
    private let overviews = OverviewMemory()

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter executor: where calls wait for the disk; a thread of its own unless another is given.
    package init(ledger: Ledger, executor: any SerialExecutor = QueueExecutor(name: "ledger")) {
        self.ledger = ledger
        self.executor = executor
    }

    package func events(of run: RunID, after sequence: UInt64) throws -> [RecordedEvent] {
        try ledger.allEvents(of: run, after: sequence)
    }

    package func append(
        _ events: [RunEvent], with evidence: [[UInt8]], to state: RolloutState, at wall: WallTime, epoch: Epoch?
    ) throws -> AppendOutcome {
        do throws(LedgerError) {
            if !evidence.isEmpty { Failpoint.beforeEvidenceIsKept.pass() }
            Failpoint.beforeCommit.pass()
            let recorded = try ledger.append(
                events, with: evidence, to: state.definition.run, after: state.sequence, lease: epoch, at: wall,
                followedBy: OverviewKeeper(at: state, remembering: overviews))
            Failpoint.afterCommit.pass()
            return .appended(recorded)
        } catch {
            switch error.code {
            // Whoever closed it, by a cancel, appended first.
            case .conflict, .runClosed: return .conflict
            case .deposed: return .deposed
            case .absent, .cannotOpen, .fileExists, .notALedger, .untrusted, .newerSchema, .olderSchema, .busy,
                .diskFull, .readOnly, .storageFailed, .damaged, .commitUnknown, .unknownPlan, .unknownRun, .ambiguous,
                .leaseRequired, .leaseHeld, .hostClaimed, .contradiction, .tooLarge:
                throw error
            }
        }
    }

    package func origin(of epoch: Epoch) throws -> EpochOrigin { try ledger.origin(of: epoch) }
}
