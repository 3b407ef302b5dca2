import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Ledger
import OperatorCommands
import RunRecord
import SafeText
import UpgradeDomain

struct LeaseAdopt: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt", abstract: "Take over a host from another ledger, or from a copy of this one.",
        discussion: """
            For a host that is held with `host-owned-elsewhere` or `ledger-copied`, once the other ledger is retired. \
            After that the host refuses every driver of the other ledger. Operations in progress on the host continue.
            Example: lockflight lease adopt core-1 \\
              --as ana --reason 'the old workstation is gone'
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The host.") var host: String
    @Option(name: .customLong("as"), help: "The deciding owner: one who owns a layer of the host.") var owner: String
    @Option(name: .long, help: "The reason; recorded. If you leave it out, you are asked.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        guard let target = inventory.hosts.first(where: { $0.name.rawValue == host }) else {
            throw CommandError(.refused, "the inventory has no host '\(host)'", next: .listInventory)
        }
        let layers = inventory.layers.filter { layer in target.placements.contains { $0.layer == layer.name } }
        let owners = layers.flatMap(\.owners)
        guard owners.contains(Owner(owner)) else {
            throw CommandError(
                .refused, "\(owner) owns no layer of \(target.name)",
                consequence:
                    "Nothing was recorded. Owners who can decide: \(owners.map(\.rawValue).joined(separator: ", ")).",
                next: .adopt(host: target.name, owner: owners.first))
        }
        let connection = try await context.connection(to: [target], of: ledger)
        do {
            let result = try await adopt(target, connection, ledger, context)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    private func adopt(
        _ target: UpgradeDomain.Host, _ connection: FleetConnection, _ ledger: Ledger, _ context: Context
    ) async throws -> CommandResult {
        let adoption = HostAdoption(
            connector: connection.connector, ledger: ledger.id,
            record: LedgerRunLog(ledger: ledger), clock: Context.clock)
        let standing = try await adoption.standing(of: target)
        guard let standing, !standing.isOurs else {
            throw CommandError(
                .refused,
                standing == nil ? "no ledger drives \(target.name) yet" : "\(target.name) already follows this ledger",
                consequence: "Nothing was recorded; there is nothing to adopt.", next: .showHost(host: target.name))
        }
        let fence = try await ledger.adopt(
            target.name, from: standing.ledger, standing.epoch, as: Owner(owner),
            reason: try context.reason(reason, for: "to adopt \(target.name)"), by: context.user,
            at: Context.clock.wall())
        try await adoption.take(target, with: fence)
        let former =
            standing.ledger == ledger.id
            ? "a copy of this ledger (epoch \(standing.epoch))"
            : "the ledger \(standing.ledger) (epoch \(standing.epoch))"
        return CommandResult(
            lines: ["\(target.name) follows this ledger from epoch \(fence.epoch) on, and no longer \(former)"],
            document: Document(
                host: target.name, ledger: ledger.id, epoch: fence.epoch, formerLedger: standing.ledger,
                formerEpoch: standing.epoch), next: [.status(run: nil)])
    }

    private struct Document: Encodable {
        var host: HostName
        var ledger: LedgerID
        var epoch: Epoch
        var formerLedger: LedgerID
        var formerEpoch: Epoch
    }
}
