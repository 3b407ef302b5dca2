import Dispatch

/// Runs work that waits for a disk, one item after the other, on a thread of its own.
package final class QueueExecutor: SerialExecutor {
    private let queue: DispatchQueue

    package init(name: String) { queue = DispatchQueue(label: name) }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}

/// Runs work on an executor before there is a ledger.
actor DiskWork {
    private let executor: any SerialExecutor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(on executor: any SerialExecutor) { self.executor = executor }

    func run<T: Sendable>(_ work: @Sendable () throws(LedgerError) -> T) throws(LedgerError) -> T { try work() }
}
