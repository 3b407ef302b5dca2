import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct LeaseShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show who drives a run, or drove it last, and with which epoch.",
        discussion: "Example: lockflight lease show r-7k3fq2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        guard let lease = try await control.ledger.lease(of: control.run) else {
            return CommandResult(lines: ["\(control.run) has not had a driver yet"], document: [String: String]())
        }
        let words = lease.isHeld ? "driven by" : "no driver; last driven by"
        // Even a record that can not be read shows who holds the lease.
        let state = lease.isHeld ? nil : try? await control.state()
        let next = state?.nextCommands(at: Context.clock.wall()).prefix(1) ?? []
        return CommandResult(
            lines: [
                "\(control.run) epoch \(lease.driver.epoch)",
                "\(words) \(lease.driver.user)@\(lease.driver.machine), process \(lease.driver.processID), "
                    + "since \(lease.acquiredAt.rfc3339)",
            ], document: lease, next: next.map(\.command))
    }
}
