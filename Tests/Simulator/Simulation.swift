import Foundation
import UpgradeDomain

/// Runs seeds and reports on them.
struct Simulation {
    /// The folder for lock files.
    let folder: String

    /// In memory if the system has a folder for that, because thousands of lock files are created and removed.
    static var freshFolder: String {
        let memory = "/dev/shm"
        let place =
            FileManager.default.isWritableFile(atPath: memory)
            ? URL(fileURLWithPath: memory) : FileManager.default.temporaryDirectory
        return place.appending(path: "lockflight-simulate-\(getpid())").path
    }

    private struct Outcome {
        var violation: String?
        var met: Set<Sometimes>
        var lines: [String]
        /// The head of the run's chain, which covers every event with its time.
        var digest: Digest?
        var virtualMilliseconds: Int64
    }

    private func live(_ seed: UInt64, _ faults: [Fault]?, traced: Bool = false) throws -> Outcome {
        let world = try World(seed: seed, faults: faults, lockPath: "\(folder)/\(seed)", keepsTrace: traced)
        var violation: String?
        do {
            try world.live()
        } catch {
            violation = "\(error)"
        }
        world.time.clear()
        try? FileManager.default.removeItem(atPath: "\(folder)/\(seed)-leases")
        return Outcome(
            violation: violation, met: world.met, lines: world.lines, digest: world.checker.events.last.map(\.hash),
            virtualMilliseconds: world.time.now)
    }

    /// Runs every seed of a range; stops at the first failure.
    ///
    /// - Parameters:
    ///   - shrinks: whether to remove faults that the failure does not need.
    ///   - printsSpeed: whether to print the seeds per second and the situations that never occurred.
    func run(seeds: UInt64, from: UInt64, shrinks: Bool, printsSpeed: Bool) -> Int32 {
        let started = ContinuousClock.now
        var met: Set<Sometimes> = []
        for seed in from..<(from + seeds) {
            do {
                let outcome = try live(seed, nil)
                met.formUnion(outcome.met)
                if let violation = outcome.violation {
                    print("seed \(seed) FAILED: \(violation)")
                    if shrinks { try shrink(seed) }
                    return 1
                }
            } catch {
                print("seed \(seed) could not be lived: \(error)")
                return 70
            }
        }
        print("met \(met.map(\.rawValue).sorted().joined(separator: " "))")
        if !printsSpeed { return 0 }
        print(Simulation.speed(of: seeds, from: from, since: started))
        return Simulation.report(missing: met)
    }

    static func speed(of seeds: UInt64, from: UInt64, since started: ContinuousClock.Instant) -> String {
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        return "\(seeds) seeds from \(from) in \(Int(seconds)) s: \(Int(Double(seeds) / max(seconds, 0.001))) a second"
    }

    /// Removes one fault after the other as long as the seed still fails.
    private func shrink(_ seed: UInt64) throws {
        let all = World.faults(of: seed)
        var kept = Array(all.indices)
        for index in all.indices {
            let fewer = kept.filter { $0 != index }
            if try live(seed, fewer.map { all[$0] }).violation != nil { kept = fewer }
        }
        let last = try live(seed, kept.map { all[$0] }, traced: true)
        print("with \(kept.count) of its \(all.count) faults: \(last.violation ?? "?")")
        for index in kept { print("  \(index): \(all[index])") }
        for line in last.lines.suffix(40) { print("  \(line)") }
        let flags = kept.isEmpty ? " --no-faults" : kept.map { " --fault \($0)" }.joined()
        print("replay: lockflight-simulate --seed \(seed)\(flags) --trace")
    }

    func replay(_ seed: UInt64, only faults: [Fault]?, traced: Bool) -> Int32 {
        do {
            let outcome = try live(seed, faults, traced: traced)
            for line in outcome.lines { print(line) }
            print("seed \(seed): \(outcome.digest?.short ?? "nothing"), \(outcome.virtualMilliseconds) ms lived")
            print(outcome.violation.map { "FAILED: \($0)" } ?? "passed")
            return outcome.violation == nil ? 0 : 1
        } catch {
            print("seed \(seed) could not be lived: \(error)")
            return 70
        }
    }

    /// Reports the situations that never occurred, because they make a pass less valuable.
    static func report(missing met: Set<Sometimes>) -> Int32 {
        let missing = Set(Sometimes.allCases).subtracting(met)
        if missing.isEmpty {
            print("passed; all of \(Sometimes.allCases.count) situations were met")
            return 0
        }
        print("never met: \(missing.map(\.rawValue).sorted().joined(separator: " "))")
        return 2
    }
}
