import Commands
import ContentDigest
import Glibc
import Ledger
import RolloutEngine
import UpgradeDomain

/// Ledgers as long runs leave them, and how fast events are appended.
enum LedgerScale {
    private static let user = "bench"

    /// Makes a ledger with one run of so many hosts, driven to its end with a soak long enough for about so many events.
    static func fill(_ path: String, hosts: Int, events: Int) throws -> String {
        let samples = max(0, events / hosts - eventsPerHost)
        var session = try Session(path, hosts: hosts, soakSeconds: samples * Model.sampleSeconds)
        while let events = session.run.next(atMost: answersAtOnce) { try session.append(events) }
        guard session.run.state.status == .verified else {
            throw BenchFailure("the run ended \(session.run.state.status)")
        }
        return "{\"events\": \(session.run.state.sequence)}"
    }

    /// Appends groups of captures, each group one durable transaction, for so many seconds.
    static func append(_ path: String, group: Int, seconds: Int) throws -> String {
        var session = try Session(path, hosts: 1, soakSeconds: 0)
        var capture: RunEvent?
        while capture == nil, let events = session.run.next(atMost: 1) {
            capture = events.first { if case .captured = $0 { true } else { false } }
            try session.append(events)
        }
        guard let capture else { throw BenchFailure("the run took no evidence") }
        let events = Array(repeating: capture, count: group)
        let begin = ContinuousClock.now
        var groups = 0
        while ContinuousClock.now - begin < .seconds(seconds) {
            try session.append(events)
            groups += 1
        }
        let took = (ContinuousClock.now - begin).seconds
        return "{\"group\": \(group), \"eventsPerSecond\": \(Double(groups * group) / took)}"
    }

    /// What a host takes from preflight to the end without any soak.
    private static let eventsPerHost = 10
    private static let answersAtOnce = 256

    private struct Session {
        let ledger: Ledger
        let lease: Lease
        var run: ModelRun

        init(_ path: String, hosts: Int, soakSeconds: Int) throws {
            ledger = try Ledger.open(at: path)
            var definition = Model.definition(hosts: hosts, soakSeconds: soakSeconds)
            definition.run = RunID("r-bench-\(getpid())")
            definition.ledger = ledger.id
            definition.planDigest = try ledger.addPlan(definition.plan, at: ModelRun.start)
            definition.hostsDigest = try Digest.canonical(of: definition.hosts)
            let started = try ledger.startRun(definition, by: user, at: ModelRun.start)
            lease = try ledger.acquireLease(
                on: definition.run, user: user, machine: "bench", processID: getpid(), at: ModelRun.start)
            run = ModelRun(definition, startedWith: started[0].hash)
            try append([.driverAttached(lease.driver)])
        }

        /// Records what the run learnt, as a driver does, with the overview that `status` reads; and tells it so.
        mutating func append(_ events: [RunEvent]) throws {
            run.take(
                try ledger.append(
                    run.state.judged(events, at: run.wall), to: run.state.definition.run, after: run.state.sequence,
                    lease: lease.epoch, at: run.wall,
                    followedBy: OverviewKeeper(at: run.state)))
        }
    }
}
