import GRDB
import OperatorCommands
package import UpgradeDomain

/// The right to drive a run: an operating-system lock for exclusion, and an epoch for fencing.
///
/// The lock ends with ``release()``, with this object, or with the process, however it dies. The epoch outlives it:
/// agents and the ledger refuse a driver with a lower one.
package final class Lease: Sendable {
    package let run: RunID
    package let driver: Driver
    package let token: LeaseToken
    package var fence: Fence { Fence(driver.epoch, token) }
    package var epoch: Epoch { driver.epoch }
    private let lock: LockFile

    init(run: RunID, driver: Driver, token: LeaseToken, lock: LockFile) {
        self.run = run
        self.driver = driver
        self.token = token
        self.lock = lock
    }

    deinit { lock.release() }

    /// Releases the run. Repeated calls do nothing.
    package func release() { lock.release() }
}

/// The present or last driver of a run.
package struct LeaseStanding: Codable, Hashable, Sendable {
    package var run: RunID
    package var driver: Driver
    package var acquiredAt: WallTime
    /// A living process holds its lock: it is driving the run, or was suspended while driving.
    package var isHeld: Bool
}

extension Ledger {
    /// Takes the lease of a run and the ledger's next epoch.
    ///
    /// Every epoch has its own lock file next to the database, locked before the epoch becomes visible. A process that
    /// dies frees its lock. A process that is only suspended keeps its lock until another driver takes over; after
    /// that, its calls fail with `deposed`.
    ///
    /// - Parameters:
    ///   - takingOver: Depose a driver that holds the lock and does not answer.
    ///   - deposed: The epoch of the driver that may be deposed; nil for any.
    /// - Throws: `leaseHeld`, which names the driver; `runClosed`.
    package func acquireLease(
        on run: RunID, user: String, machine: String, processID: Int32, takingOver: Bool = false,
        onlyFrom deposed: Epoch? = nil, at time: WallTime
    ) throws(LedgerError) -> Lease {
        let (lease, last) = try write("take the lease of the run \(run)") { db in
            _ = try db.openRun(run)
            let last = try db.lastDriver(of: run)
            if !takingOver, let last, try LockFile.isHeld(at: lockPath(run, epoch: last.epoch)) {
                throw LedgerError.leaseHeld(run, by: last)
            }
            if let deposed, last?.epoch != deposed {
                throw LedgerError(
                    .conflict, "Another driver has taken the run \(run) meanwhile. Nothing was recorded.",
                    next: .showLease(run: run), run: run)
            }
            return (try nextLease(db, on: run, user: user, machine: machine, processID: processID, at: time), last)
        }
        if let last { LockFile.remove(at: lockPath(run, epoch: last.epoch)) }
        return lease
    }

    /// The next epoch, with its lock held before the epoch becomes visible.
    func nextLease(
        _ db: Database, on run: RunID, user: String, machine: String, processID: Int32, at time: WallTime
    ) throws -> Lease {
        let epoch = try nextEpoch(db)
        let driver = Driver(epoch: epoch, user: user, machine: machine, processID: processID)
        let lock = try LockFile.create(at: lockPath(run, epoch: epoch), in: lockFolder)
        let token = newToken(epoch)
        try db.insert(driver, token, of: run, at: time)
        return Lease(run: run, driver: driver, token: token, lock: lock)
    }

    private func nextEpoch(_ db: Database) throws -> Epoch {
        guard let epoch = max(try db.highestEpoch(), try db.epochFloor()).raised(by: 1) else {
            throw LedgerError(
                .tooLarge, "The lease would need an epoch above \(Epoch.highest). Nothing was recorded.")
        }
        return epoch
    }

    /// Where the epoch that last drove a host came from.
    package func origin(of epoch: Epoch) throws(LedgerError) -> EpochOrigin {
        try read("look up the lease with epoch \(epoch)") { db in
            if try epoch <= db.epochFloor() { return .beforeRestore }
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT token FROM leases WHERE epoch = ?1 UNION ALL SELECT token FROM adoptions WHERE epoch = ?1
                    """, arguments: [Int64(epoch.number)])
            return row.map { .given(($0["token"] as String?).map { LeaseToken($0) }) } ?? .unknown
        }
    }

    /// Records that this ledger takes over a host, and issues a fence for it: above the host's epoch, if possible.
    ///
    /// - Parameters:
    ///   - seen: the epoch that last drove the host, as the host reports it.
    ///   - owner: the owner who decides this.
    package func adopt(
        _ host: HostName, from ledger: LedgerID, _ seen: Epoch, as owner: Owner, reason: String, by user: String,
        at time: WallTime
    ) throws(LedgerError) -> Fence {
        try write("adopt the host \(host)") { db in
            let own = try nextEpoch(db)
            // If the host's epoch is out of reach it is ignored: a takeover may start at a lower one.
            let above = seen.raised(by: 1) ?? own
            let isNear = above <= own || above.number - own.number <= Epoch.largestRise / 4
            let epoch = isNear ? max(own, above) : own
            let token = newToken(epoch)
            try db.execute(
                sql: """
                    INSERT INTO adoptions (epoch, token, host, former_ledger, former_epoch, owner, reason, adopted_by,
                        adopted_at_milliseconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    Int64(epoch.number), token.rawValue, host.rawValue, ledger.rawValue, Int64(seen.number),
                    owner.rawValue, reason, user, time.milliseconds,
                ])
            return Fence(epoch, token)
        }
    }

    /// The last lease of a run; nil if no process ever drove it.
    package func lease(of run: RunID) throws(LedgerError) -> LeaseStanding? {
        try read("look up the lease of the run \(run)") { db in
            _ = try db.existingRun(run)
            guard let last = try db.lastDriver(of: run) else { return nil }
            let acquired = try Int64.fetchOne(
                db, sql: "SELECT acquired_at_milliseconds FROM leases WHERE epoch = ?",
                arguments: [Int64(last.epoch.number)])
            return LeaseStanding(
                run: run, driver: last, acquiredAt: WallTime(clamping: acquired ?? 0),
                isHeld: try LockFile.isHeld(at: lockPath(run, epoch: last.epoch)))
        }
    }

    /// The driver of a run at this moment; nil if there is none.
    package func currentDriver(of run: RunID) throws(LedgerError) -> Driver? {
        try read("look up the driver of the run \(run)") { db in
            _ = try db.existingRun(run)
            guard let last = try db.lastDriver(of: run), try LockFile.isHeld(at: lockPath(run, epoch: last.epoch))
            else { return nil }
            return last
        }
    }

    private var lockFolder: String { path + "-leases" }
    func lockPath(_ run: RunID, epoch: Epoch) -> String { "\(lockFolder)/\(run).\(epoch)" }
}

extension Database {
    func lastDriver(of run: RunID) throws -> Driver? {
        let statement = try cachedStatement(
            sql: "SELECT epoch, user, machine, process_id FROM leases WHERE run = ? ORDER BY epoch DESC LIMIT 1")
        // Read by position, because every append does this: looking up a column name costs more than its value.
        return try Row.fetchOne(statement, arguments: [run.rawValue]).map { row in
            Driver(
                epoch: Epoch(clamping: UInt64(clamping: row[0] as Int64)), user: row[1], machine: row[2],
                processID: Int32(clamping: row[3] as Int64))
        }
    }

    func refuseWhenDeposed(_ epoch: Epoch, run: RunID) throws {
        let last = try lastDriver(of: run)
        guard last?.epoch != epoch else { return }
        let newer = last.map { "\($0.name) drives it with epoch \($0.epoch)" } ?? "no process has driven it"
        throw LedgerError(
            .deposed,
            "This process may no longer drive the run \(run): its epoch is \(epoch), and \(newer). Nothing "
                + "was recorded; stop here and watch.", next: .watch(run: run), run: run)
    }

    /// A ledger that this one was restored from may have issued epochs up to this value.
    fileprivate func epochFloor() throws -> Epoch {
        Epoch(clamping: UInt64(clamping: try Int64.fetchOne(self, sql: "SELECT epoch_floor FROM meta") ?? 0))
    }

    /// The next epoch floor for a ledger that may not know every issued epoch: far above `epoch`.
    func epochFloor(above epoch: Epoch, at time: WallTime) throws -> Int64 {
        guard let floor = epoch.raised(by: LedgerLimits.epochsAfterRestore) else {
            throw LedgerError(.tooLarge, "The epoch \(epoch) leaves no room for further leases. Nothing was recorded.")
        }
        return max(Int64(floor.number), time.milliseconds / 1_000)
    }

    func highestEpoch() throws -> Epoch {
        Epoch(
            clamping: UInt64(
                clamping: try Int64.fetchOne(
                    self,
                    sql: "SELECT max(epoch) FROM (SELECT epoch FROM leases UNION ALL SELECT epoch FROM adoptions)")
                    ?? 0))
    }

    fileprivate func insert(_ driver: Driver, _ token: LeaseToken, of run: RunID, at time: WallTime) throws {
        try execute(
            sql: """
                INSERT INTO leases (epoch, run, user, machine, process_id, acquired_at_milliseconds, token)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                Int64(driver.epoch.number), run.rawValue, driver.user, driver.machine, driver.processID,
                time.milliseconds, token.rawValue,
            ])
    }
}

extension Driver {
    var name: String { "\(user)@\(machine) (process \(processID))" }
}

extension LedgerError {
    static func leaseHeld(_ run: RunID, by driver: Driver) -> LedgerError {
        LedgerError(
            .leaseHeld,
            "\(driver.name) drives the run \(run) with epoch \(driver.epoch), so this process may not. "
                + "Watch it, or end that process first.", next: .watch(run: run), run: run)
    }
}
