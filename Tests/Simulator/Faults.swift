import UpgradeDomain

/// The faults of one simulation: drawn from its seed in advance, so that a failing simulation can be reduced.
struct Fault: Hashable, CustomStringConvertible {
    /// When it occurs: at the nth of something, or at a time.
    enum Trigger: Hashable {
        case commit(Int)
        case message(Int)
        case script(Int)
        case milliseconds(Int64)
    }

    enum Kind: Hashable {
        /// At a commit: before it, or when it is durable but not yet reported.
        case coordinatorDies(afterwards: Bool)
        case coordinatorSuspended(milliseconds: Int64)
        case ledgerDiskFull
        /// At a message: the message arrives `late`, the connection is gone.
        case cut(late: Int64)
        case blackhole(milliseconds: Int64)
        case duplicate(late: Int64)
        /// At a script, counted from its beginning.
        case supervisorDies(after: Int64)
        case reboot(after: Int64, down: Int64)
        case fate(ScriptFate)
        /// At a time.
        case unreachable(HostName, milliseconds: Int64)
        case hostDiskFull(HostName, milliseconds: Int64)
        case degrades(HostName)
        case hostClockJumps(HostName, milliseconds: Int64)
        case coordinatorClockJumps(milliseconds: Int64)
        case takeOver
        /// Somebody uses a copy of the ledger.
        case copyDrives(HostName)
        /// The run's record can no longer be read completely.
        case recordBreaks
        case operatorAsks(Int)
    }

    var trigger: Trigger
    var kind: Kind

    var description: String { "\(kind) at \(trigger)" }

    static let tenYears: Int64 = 10 * 365 * 86_400_000

    /// Draws up to a dozen faults over the usual course of a run.
    static func draw(_ generator: inout SeededGenerator, hosts: [HostName]) -> [Fault] {
        (0..<generator.pick(0...12)).map { _ in draw(one: &generator, hosts) }
    }

    private static func draw(one generator: inout SeededGenerator, _ hosts: [HostName]) -> Fault {
        let at = Int64(generator.pick(0...40_000))
        let host = generator.pick(from: hosts)
        switch generator.pick(0...19) {
        case 0, 1:
            return Fault(
                trigger: .commit(generator.pick(1...70)), kind: .coordinatorDies(afterwards: generator.chance(60)))
        case 2:
            return Fault(
                trigger: .commit(generator.pick(1...70)),
                kind: .coordinatorSuspended(milliseconds: Int64(generator.pick(1_000...60_000))))
        case 3: return Fault(trigger: .commit(generator.pick(1...70)), kind: .ledgerDiskFull)
        case 4, 5:
            return Fault(
                trigger: .message(generator.pick(1...130)), kind: .cut(late: Int64(generator.pick(1...60_000))))
        case 6:
            return Fault(
                trigger: .message(generator.pick(1...130)),
                kind: .blackhole(milliseconds: Int64(generator.pick(100...40_000))))
        case 7:
            return Fault(
                trigger: .message(generator.pick(1...130)), kind: .duplicate(late: Int64(generator.pick(1...60_000))))
        case 8:
            return Fault(
                trigger: .script(generator.pick(1...7)), kind: .supervisorDies(after: Int64(generator.pick(0...4_000)))
            )
        case 9:
            return Fault(
                trigger: .script(generator.pick(1...7)),
                kind: .reboot(
                    after: Int64(generator.pick(0...4_000)), down: Int64(generator.pick(500...40_000))))
        case 10, 11:
            let fates: [ScriptFate] = [.fails, .failsAtOnce, .timesOut, .leavesUnhealthy]
            return Fault(trigger: .script(generator.pick(1...7)), kind: .fate(generator.pick(from: fates)))
        case 12:
            return Fault(
                trigger: .milliseconds(at),
                kind: .unreachable(host, milliseconds: Int64(generator.pick(500...60_000))))
        case 13:
            return Fault(
                trigger: .milliseconds(at),
                kind: .hostDiskFull(host, milliseconds: Int64(generator.pick(500...60_000))))
        case 14: return Fault(trigger: .milliseconds(at), kind: .degrades(host))
        case 15:
            let jump = generator.chance(50) ? tenYears : -tenYears
            return Fault(
                trigger: .milliseconds(at),
                kind: generator.chance(50)
                    ? .hostClockJumps(host, milliseconds: jump) : .coordinatorClockJumps(milliseconds: jump))
        case 16: return Fault(trigger: .milliseconds(at), kind: .takeOver)
        case 17: return Fault(trigger: .milliseconds(at), kind: .copyDrives(host))
        // Rare, because nothing else happens after it.
        case 18 where generator.chance(25): return Fault(trigger: .milliseconds(at), kind: .recordBreaks)
        default: return Fault(trigger: .milliseconds(at), kind: .operatorAsks(generator.pick(0...3)))
        }
    }
}

/// The faults that have not occurred yet.
struct FaultPlan {
    private var byTrigger: [Fault.Trigger: Fault.Kind]
    let timed: [(Int64, Fault.Kind)]
    var isOn = true

    init(_ faults: [Fault]) {
        byTrigger = Dictionary(faults.map { ($0.trigger, $0.kind) }) { first, _ in first }
        timed = faults.compactMap {
            if case .milliseconds(let at) = $0.trigger { (at, $0.kind) } else { nil }
        }
    }

    /// Returns the fault that occurs now, once.
    mutating func strike(_ trigger: Fault.Trigger) -> Fault.Kind? {
        isOn ? byTrigger.removeValue(forKey: trigger) : nil
    }
}
