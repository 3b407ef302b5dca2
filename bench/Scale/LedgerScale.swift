import ContentDigest
import CoordinatorRuntime
import Glibc
import Ledger
import RolloutEngine
import RunRecord
import UpgradeDomain

/// Ledgers like those of long runs, and how fast events are appended.
enum LedgerScale {
    private static let user = "bench"

    /// Creates a ledger with one complete run of `hosts` hosts, with a soak that is long enough for about `events` events.
    static func fill(_ path: String, hosts: Int, events: Int) async throws -> String {
        let samples = max(0, events / hosts - eventsPerHost)
        var session = try await Session(path, hosts: hosts, soakSeconds: samples * Model.sampleSeconds)
        while let events = session.run.next(atMost: answersAtOnce) { try await session.append(events) }
        guard session.run.state.status == .verified else {
            throw BenchFailure("the run ended \(session.run.state.status)")
        }
        return "{\"events\": \(session.run.state.sequence)}"
    }

    /// Appends groups of captures, each group in one durable transaction, for a number of seconds.
    static func append(_ path: String, group: Int, seconds: Int) async throws -> String {
        var session = try await Session(path, hosts: 1, soakSeconds: 0)
        var capture: RunEvent?
        while capture == nil, let events = session.run.next(atMost: 1) {
            capture = events.first { if case .captured = $0 { true } else { false } }
            try await session.append(events)
        }
        guard let capture else { throw BenchFailure("the run captured no evidence") }
        let events = Array(repeating: capture, count: group)
        let begin = ContinuousClock.now
        var groups = 0
        while ContinuousClock.now - begin < .seconds(seconds) {
            try await session.append(events)
            groups += 1
        }
        let took = (ContinuousClock.now - begin).seconds
        return "{\"group\": \(group), \"eventsPerSecond\": \(Double(groups * group) / took)}"
    }

    /// The number of events of a host from preflight to the end, without a soak.
    private static let eventsPerHost = 10
    private static let answersAtOnce = 256

    private struct Session {
        let log: LedgerRunLog
        let lease: Lease
        var run: ModelRun

        init(_ path: String, hosts: Int, soakSeconds: Int) async throws {
            let ledger = try await Ledger.open(at: path)
            var definition = Model.definition(hosts: hosts, soakSeconds: soakSeconds)
            definition.run = RunID("r-bench-\(getpid())")
            definition.ledger = ledger.id
            definition.planDigest = try await ledger.addPlan(definition.plan, at: ModelRun.start)
            definition.hostsDigest = try Digest.canonical(of: definition.hosts)
            let started = try await ledger.startRun(definition, by: user, at: ModelRun.start)
            lease = try await ledger.acquireLease(
                on: definition.run, user: user, machine: "bench", processID: getpid(), at: ModelRun.start)
            log = LedgerRunLog(ledger: ledger)
            run = ModelRun(definition, startedWith: started[0].hash)
            try await append([.driverAttached(lease.driver)])
        }

        /// Records the results of the run, as a driver does, with the overview that `status` reads, and updates the run.
        mutating func append(_ events: [RunEvent]) async throws {
            let outcome = try await log.append(
                run.state.judged(events, at: run.wall), with: [], to: run.state, at: run.wall, epoch: lease.epoch)
            guard case .appended(let recorded) = outcome else { throw BenchFailure("somebody else drives the run") }
            run.take(recorded)
        }
    }
}
