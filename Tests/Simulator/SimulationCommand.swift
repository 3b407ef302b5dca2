import ArgumentParser
import Foundation

/// The command line of the simulator.
struct SimulationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lockflight-simulate", abstract: "Whole runs in virtual time, each from a seed.",
        discussion: """
            With --seeds it ends with 1 at the first seed that fails, and with 2 where a situation was never met.
            Example: lockflight-simulate --seeds 5000 --jobs 2
            Example: lockflight-simulate --seed 17 --fault 0 --fault 3 --trace
            """)

    @Option(name: .long, help: "How many seeds to live.") var seeds: UInt64?
    @Option(name: .long, help: "The first of them.") var from: UInt64 = 1
    @Option(name: .long, help: "Processes that share them.") var jobs: UInt64 = 1
    @Flag(name: .long, help: "Report a seed that fails with all of its faults.") var noShrink = false
    @Flag(name: .long, help: "Print only the situations that occurred, for a summary.") var summary = false

    @Option(name: .long, help: "Live this one seed.") var seed: UInt64?
    @Option(name: .long, help: "With --seed: only this of its faults, by number; repeatable.") var fault: [Int] = []
    @Flag(name: .long, help: "With --seed: none of its faults.") var noFaults = false
    @Flag(name: .long, help: "With --seed: print each event.") var trace = false

    func validate() throws {
        guard (seed == nil) != (seeds == nil) else { throw ValidationError("say either --seeds or --seed") }
        guard seeds != 0, jobs > 0 else { throw ValidationError("--seeds and --jobs are 1 or more") }
    }

    func run() throws {
        let folder = Simulation.freshFolder
        var status: Int32
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            status = try live(Simulation(folder: folder))
        } catch {
            print("could not simulate: \(error)")
            status = 70
        }
        throw ExitCode(status)
    }

    private func live(_ simulation: Simulation) throws -> Int32 {
        if let seed { return simulation.replay(seed, only: faults(of: seed), traced: trace) }
        let seeds = seeds ?? 0
        if jobs > 1 { return try spread(seeds) }
        return simulation.run(seeds: seeds, from: from, shrinks: !noShrink, printsSpeed: !summary)
    }

    /// The faults that were selected by number; nil for all.
    private func faults(of seed: UInt64) -> [Fault]? {
        guard noFaults || !fault.isEmpty else { return nil }
        let all = World.faults(of: seed)
        return fault.filter(all.indices.contains).map { all[$0] }
    }

    /// Runs several processes, each with a part of the seeds.
    private func spread(_ seeds: UInt64) throws -> Int32 {
        let started = ContinuousClock.now
        var workers: [(process: Process, output: Pipe)] = []
        let share = (seeds + jobs - 1) / jobs
        for job in 0..<jobs where job * share < seeds {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            process.arguments =
                [
                    "--seeds", "\(min(share, seeds - job * share))", "--from", "\(from + job * share)", "--summary",
                ] + (noShrink ? ["--no-shrink"] : [])
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            workers.append((process, output))
        }
        var met: Set<Sometimes> = []
        var status: Int32 = 0
        for (process, output) in workers {
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            if process.terminationStatus == 1 { status = 1 } else if process.terminationStatus > 2 { status = 70 }
            for line in text.split(separator: "\n") {
                if line.hasPrefix("met ") {
                    met.formUnion(
                        line.dropFirst(4).split(separator: " ").compactMap { Sometimes(rawValue: String($0)) })
                } else if status != 0 {
                    print(line)
                }
            }
        }
        print(Simulation.speed(of: seeds, from: from, since: started))
        return status != 0 ? status : Simulation.report(missing: met)
    }
}
