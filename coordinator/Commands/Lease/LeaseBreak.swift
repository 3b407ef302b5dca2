import ArgumentParser
import CoordinatorRuntime
import Foundation
import Ledger
import OperatorCommands
import RolloutEngine
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct LeaseBreak: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "break", abstract: "Depose a driver that holds a run and does not respond.",
        discussion: """
            For a driver process that is suspended, or whose machine hangs. When it wakes up, it can not change
            anything: the ledger and every host that has seen a newer driver refuse it. The run has no driver until
            `rollout resume`.
            Example: lockflight lease break r-7k3fq2 --reason 'its machine hangs'
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "The reason; recorded. If you leave it out, you are asked.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        guard let held = try await control.ledger.currentDriver(of: control.run) else {
            throw CommandError(
                .refused, "\(control.run) has no driver, so there is no lease to break",
                consequence: "Nothing was recorded.",
                next: try await control.state().nextCommands(at: Context.clock.wall()).first?.command
                    ?? .status(run: control.run))
        }
        let reason = try context.reason(
            reason, for: "to depose process \(held.processID) on \(held.machine)")
        let lease = try await control.ledger.acquireLease(
            on: control.run, user: context.user, machine: ProcessInfo.processInfo.hostName, processID: getpid(),
            takingOver: true, onlyFrom: held.epoch, at: Context.clock.wall())
        defer { lease.release() }
        let words =
            "\(context.user) broke the lease of \(held.user)@\(held.machine), process \(held.processID): \(reason)"
        var result = CommandResult(
            lines: ["\(words)", "epoch \(held.epoch) is deposed; \(control.run) is now at epoch \(lease.epoch)"],
            document: try await control.ledger.lease(of: control.run),
            next: [.resume(run: control.run)])
        do {
            try await record(words, control, lease)
        } catch let error as LedgerError where error.code == .damaged {
            result.remarks = ["\(error.description)", "so the reason is not in the run's record"]
            result.next = [.verifyLedger(file: nil)]
        }
        return result
    }

    private func record(_ words: String, _ control: RunControl, _ lease: Lease) async throws {
        for _ in 0..<RunControl.requestAttempts {
            let state = try await control.state()
            let events = [RunEvent.driverDetached(reason: words)]
            switch try await control.log.append(
                events, with: [], to: state, at: Context.clock.wall(), epoch: lease.epoch)
            {
            case .appended: return
            case .conflict: continue
            case .deposed:
                throw CommandError(
                    .refused, "another driver took over \(control.run) meanwhile",
                    next: .showLease(run: control.run))
            }
        }
        throw RuntimeError.appendStarved(control.run)
    }
}
