import Glibc
import RolloutEngine
import UpgradeDomain

/// One complete simulated run through only the engine.
enum EngineScale {
    /// About as many answers as a driver takes at a time.
    private static let answersAtOnce = 32

    /// Runs it and returns its cost as JSON.
    static func run(hosts: Int) throws(BenchFailure) -> String {
        var run = ModelRun(Model.definition(hosts: hosts), startedWith: hash)
        run.take([record(.driverAttached(Driver(epoch: 1, user: "op", machine: "desk", processID: 1)), 2, run)])
        while let events = run.next(atMost: answersAtOnce) {
            let next = run.state.sequence + 1
            run.take(events.enumerated().map { index, event in record(event, next + UInt64(index), run) })
        }
        guard run.state.status == .verified else { throw BenchFailure("the run ended \(run.state.status)") }
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return """
            {"hosts": \(hosts), "inFlight": \(Model.hostsInFlight), "events": \(run.state.sequence), "decisions": \(run.decisions), \
            "foldSeconds": \(run.folding.seconds), "nextSeconds": \(run.deciding.seconds), \
            "peakMebibytes": \(Double(usage.ru_maxrss) / 1_024)}
            """
    }

    private static let hash: Digest = "sha256:1"

    private static func record(_ event: RunEvent, _ sequence: UInt64, _ run: ModelRun) -> RecordedEvent {
        RecordedEvent(sequence: sequence, recordedAt: run.wall, event: event, hash: hash)
    }
}
