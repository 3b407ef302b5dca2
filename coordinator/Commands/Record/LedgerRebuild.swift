import AgentProtocol
import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Ledger
import OperatorCommands
import RunViews
import SafeText
import UpgradeDomain

struct LedgerRebuild: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild", abstract: "Rebuild a lost ledger from the hosts' journals.",
        discussion: """
            Use it if the database is gone and there is no backup: import the inventory into a new ledger, trust its
            keys, then run this. The new ledger takes over the identity that the hosts follow, and continues above every
            epoch that they have seen. The operations in their journals are kept and marked as reconstructed. Plans,
            approvals and evidence are not on the hosts and stay lost.
            Example: lockflight ledger rebuild --from-hosts
            """)

    @OptionGroup var options: GlobalOptions
    @Flag(name: .long, help: "Read the agents' journals. Required: it is the only source.") var fromHosts = false
    @Option(name: .long, help: "A host to leave out, for example because it is gone; repeat for several.")
    var without: [String] = []

    func validate() throws {
        guard fromHosts else { throw ValidationError("--from-hosts is required: the hosts are the only source") }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        if let stranger = without.first(where: { name in !inventory.hosts.contains { $0.name.rawValue == name } }) {
            throw CommandError(.refused, "the inventory has no host '\(stranger)'", next: .listInventory)
        }
        let asked = inventory.hosts.filter { !without.contains($0.name.rawValue) }
        guard !asked.isEmpty else {
            throw CommandError(
                .refused, "every host is left out, so there is no host to ask", consequence: "Nothing was recorded.",
                next: .listInventory)
        }
        let memories = try await memories(of: asked, ledger, context)
        let owners = Set(memories.compactMap(\.owner)).sorted()
        guard let lost = owners.first else {
            throw CommandError(
                .refused, "no host has ever been driven by a ledger", consequence: "There is nothing to rebuild.",
                next: .addPlan(file: nil))
        }
        guard owners.count == 1 else {
            let words = owners.map { owner in
                "\(owner): " + memories.filter { $0.owner == owner }.map(\.host.rawValue).joined(separator: ", ")
            }
            throw CommandError(
                .refused, "the hosts follow \(counted(owners.count, "ledger")): \(words.joined(separator: "; "))",
                consequence: "Nothing was recorded. Leave out the hosts of the wrong ledger.",
                next: .rebuildLedger(without: nil))
        }
        try refuseEpochsWithoutReason(memories, at: Context.clock.wall())
        let operations = memories.flatMap { memory in memory.entries.map { $0.reconstructed(on: memory.host) } }
        try await ledger.takePlace(
            of: lost, above: memories.map(\.highestEpoch).max() ?? 0, remembering: operations, by: context.user,
            at: Context.clock.wall())
        var remarks: [TerminalText] = [
            "this ledger is now \(lost); reconstructed: \(counted(operations.count, "operation"))"
        ]
        if !without.isEmpty { remarks.append("not asked: \(without.joined(separator: ", "))") }
        return CommandResult(
            lines: ReconstructionTable.lines(of: operations, context), document: operations, remarks: remarks,
            next: [.listReconstructed])
    }

    /// Epochs of a restored ledger start at the seconds since 1970, so no ledger issues much higher ones. To follow a
    /// host that reports one would lock this ledger out of all other hosts, which limit how far an epoch may rise at
    /// once.
    private func refuseEpochsWithoutReason(_ memories: [FleetJournals.Memory], at now: WallTime) throws(CommandError) {
        let highest = Epoch(clamping: UInt64(now.milliseconds / 1_000) + Epoch.largestRise / 4)
        let strange = memories.filter { $0.highestEpoch > highest }
        guard let first = strange.first else { return }
        throw CommandError(
            .refused,
            "\(first.host) reports the epoch \(first.highestEpoch), which is higher than any ledger issues",
            consequence: "Nothing was recorded. Find out who wrote it, or leave the host out.",
            next: .rebuildLedger(without: strange.map(\.host)))
    }

    private func memories(
        of hosts: [UpgradeDomain.Host], _ ledger: Ledger, _ context: Context
    ) async throws -> [FleetJournals.Memory] {
        let connection = try await context.connection(to: hosts, of: ledger)
        let answers = await FleetJournals(connector: connection.connector, ledger: ledger.id, clock: Context.clock)
            .memories(of: hosts)
        await connection.close()
        let silent = zip(hosts, answers).compactMap { host, answer -> (host: HostName, why: String)? in
            if case .failure(let failure) = answer { (host.name, failure.message) } else { nil }
        }
        guard silent.isEmpty else {
            throw CommandError(
                .unreachable,
                "not every host could be asked: \(silent.map { "\($0.host): \($0.why)" }.joined(separator: "; "))",
                consequence:
                    "Nothing was recorded. Repeat the command once they answer. Leave out a host that is gone for good with --without.",
                next: .rebuildLedger(without: without.map { HostName($0) }))
        }
        return try answers.map { try $0.get() }
    }
}
