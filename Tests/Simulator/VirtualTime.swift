import CSwiftConcurrency
import Glibc

/// One seeded generator (SplitMix64): the same seed gives the same run.
struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
    mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    mutating func pick<Element>(from elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &self)]
    }
}

/// The one scheduler of a simulation: every job of Swift's concurrency and every timer runs on it, on one thread, in an
/// order that depends on nothing but the seed.
final class VirtualTime: SerialExecutor, @unchecked Sendable {
    /// A timer that can be cancelled.
    final class Timer {
        fileprivate var action: (() -> Void)?
        func cancel() { action = nil }
    }

    private struct Entry {
        var at: Int64
        var order: UInt64
        var timer: Timer
    }

    /// Virtual milliseconds since the simulation began.
    private(set) var now: Int64 = 0
    private(set) var steps = 0
    private var jobs: [UnownedJob] = []
    private var nextJob = 0
    private var heap: [Entry] = []
    private var order: UInt64 = 0
    private let thread = pthread_self()

    func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }
    func enqueue(_ job: UnownedJob) { jobs.append(job) }
    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// All of a simulation is on one thread.
    func checkIsolated() { precondition(pthread_equal(thread, pthread_self()) != 0) }

    @discardableResult
    func after(_ milliseconds: Int64, _ action: @escaping () -> Void) -> Timer {
        let timer = Timer()
        timer.action = action
        push(Entry(at: now + max(0, milliseconds), order: order, timer: timer))
        order += 1
        return timer
    }

    /// Runs whatever is due; false when nothing is left.
    func step() -> Bool {
        drainJobs()
        while let entry = pop() {
            guard let action = entry.timer.action else { continue }
            now = max(now, entry.at)
            entry.timer.action = nil
            steps += 1
            action()
            drainJobs()
            return true
        }
        return false
    }

    /// Drops all timers; tasks that still wait for one never continue.
    func clear() { heap = [] }

    func drainJobs() {
        while nextJob < jobs.count {
            let job = jobs[nextJob]
            nextJob += 1
            if nextJob > 4_096 {
                jobs.removeFirst(nextJob)
                nextJob = 0
            }
            steps += 1
            job.runSynchronously(on: asUnownedSerialExecutor())
        }
        jobs.removeAll(keepingCapacity: true)
        nextJob = 0
    }

    // MARK: A heap of timers

    private func precedes(_ left: Entry, _ right: Entry) -> Bool {
        left.at != right.at ? left.at < right.at : left.order < right.order
    }

    private func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0, precedes(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func pop() -> Entry? {
        guard let first = heap.first else { return nil }
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if precedes(heap[child], heap[least]) { least = child }
            }
            if least == parent { return first }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}

/// Replaces Swift's global executor by a scheduler, through the hook that the runtime provides for that
/// (see `CSwiftConcurrency`).
enum GlobalExecutorHook {
    private typealias Original = @convention(thin) (UnownedJob) -> Void
    private typealias Hook = @convention(thin) (UnownedJob, Original) -> Void

    nonisolated(unsafe) static var scheduler = VirtualTime()

    static func install() {
        withUnsafeMutableBytes(of: &swift_task_enqueueGlobal_hook) { hook in
            hook.storeBytes(of: { job, _ in GlobalExecutorHook.scheduler.enqueue(job) }, as: Hook?.self)
        }
    }
}
