import Foundation

/// What the command line asks for.
struct SimulationCommand {
    private var values: [String: [String]] = [:]

    init(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        while let flag = rest.popFirst() {
            let takesValue = rest.first.map { !$0.hasPrefix("--") } ?? false
            values[flag, default: []].append(takesValue ? rest.removeFirst() : "")
        }
    }

    private func number(_ flag: String) -> UInt64? { values[flag]?.last.flatMap { UInt64($0) } }

    func run() -> Int32 {
        let folder = Simulation.freshFolder
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let simulation = Simulation(folder: folder)
            if let seed = number("--seed") {
                return simulation.replay(seed, only: faults(of: seed), traced: values["--trace"] != nil)
            }
            guard let seeds = number("--seeds"), seeds > 0 else {
                print("usage: lockflight-simulate --seeds N [--from S] [--jobs J] | --seed S [--trace] [--fault I]...")
                return 64
            }
            let from = number("--from") ?? 1
            let jobs = number("--jobs") ?? 1
            return jobs > 1 ? try spread(seeds, from, over: jobs) : simulation.run(seeds: seeds, from: from)
        } catch {
            print("could not simulate: \(error)")
            return 70
        }
    }

    /// The faults that were named by their number; nil for all.
    private func faults(of seed: UInt64) -> [Fault]? {
        guard let named = values["--fault"] else { return nil }
        let all = World.faults(of: seed)
        return named.compactMap { Int($0) }.filter(all.indices.contains).map { all[$0] }
    }

    /// The same in several processes, each with its part of the seeds.
    private func spread(_ seeds: UInt64, _ from: UInt64, over jobs: UInt64) throws -> Int32 {
        let started = ContinuousClock.now
        var workers: [(process: Process, output: Pipe)] = []
        let share = (seeds + jobs - 1) / jobs
        for job in 0..<jobs where job * share < seeds {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            process.arguments = [
                "--seeds", "\(min(share, seeds - job * share))", "--from", "\(from + job * share)", "--summary",
            ]
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
