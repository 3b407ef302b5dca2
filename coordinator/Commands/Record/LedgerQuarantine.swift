import AgentProtocol
import ArgumentParser
import CoordinatorRuntime
import Foundation
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct LedgerQuarantine: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine", abstract: "Set a run aside whose record can not be followed; free its hosts.",
        discussion: """
            For a run with an event that can not be read, or whose chain is broken, where no backup is better. The run is kept as \
            it is and never changes again. Each of its hosts is asked what became of the run's operations there, and is free once \
            none is under way. A host that can not be asked stays with the run until it answers or is abandoned. What a host \
            runs is not known afterwards: compare it before the next plan.
            Example: lockflight ledger quarantine r-7k3fq2 --reason 'the disk lost event 57'
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The run.") var run: String
    @Option(name: .long, help: "Why; recorded. Asked for where it is left out.") var reason: String?
    @Option(name: .long, help: "A host to free without an answer, such as one that is gone; repeat for several.")
    var abandon: [String] = []

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try context.ledger()
        let run = try ledger.run(matching: run).id
        let isQuarantined = try ledger.quarantine(of: run) != nil
        if !isQuarantined { try refuseWhenSound(run, ledger) }
        let abandoned = abandon.map { HostName($0) }
        let lease = try ledger.quarantine(
            run, reason: isQuarantined ? "" : try context.reason(reason, for: "to quarantine \(run)"),
            by: context.user, machine: ProcessInfo.processInfo.hostName,
            processID: ProcessInfo.processInfo.processIdentifier, at: Context.clock.wall())
        defer { lease.release() }
        let claimed = try ledger.quarantine(of: run)?.claimed ?? []
        if let stranger = abandoned.first(where: { !claimed.contains($0) }) {
            throw CommandError(
                .refused, "\(stranger) does not belong to \(run)",
                consequence: "No host was freed.", next: .status(run: run))
        }
        let rows = try await free(claimed, abandoning: abandoned, of: run, lease.epoch, ledger, context)
        let standing = try ledger.quarantine(of: run)
        let left = standing?.claimed ?? []
        var lines: [TerminalText] = ["\(run) is quarantined: it is kept as it is, and never changes again"]
        if !rows.isEmpty {
            lines += TextTable(headers: ["HOST", "NOW", "WHAT IT SAYS"], rows: rows)
                .lines(width: context.width, style: context.style)
        }
        return CommandResult(
            lines: lines, document: standing, status: left.isEmpty ? .verified : .unreachable,
            remarks: left.isEmpty
                ? []
                : [
                    "\(left.count) hosts still belong to \(run); repeat the command once they answer, or abandon those that are gone"
                ], next: [left.isEmpty ? .status(run: run) : .quarantine(run: run, abandoned: [])])
    }

    private func refuseWhenSound(_ run: RunID, _ ledger: Ledger) throws {
        let verification = try ledger.verify(run: run)
        guard !verification.chains.contains(where: \.isBroken) else { return }
        throw CommandError(
            .refused, "the record of \(run) can be followed", consequence: "Nothing was recorded.",
            next: .status(run: run))
    }

    private func free(
        _ claimed: [HostName], abandoning abandoned: [HostName], of run: RunID, _ epoch: Epoch, _ ledger: Ledger,
        _ context: Context
    ) async throws -> [[TerminalText]] {
        let known = try ledger.currentInventory()?.hosts ?? []
        let asked = known.filter { claimed.contains($0.name) && !abandoned.contains($0.name) }
        var answers: [HostName: Result<FleetSettlement.Findings, ContactFailure>] = [:]
        if !asked.isEmpty {
            let connection = try await FleetConnection.open(context, to: asked, of: ledger)
            let settlement = FleetSettlement(
                of: run, connector: connection.connector, ledger: ledger.id, epoch: epoch, clock: Context.clock)
            let found = await settlement.findings(on: asked)
            await connection.close()
            answers = Dictionary(zip(asked.map(\.name), found)) { first, _ in first }
        }
        return try claimed.map { host in
            func free(as fate: Ledger.HostFate, _ entries: [JournalEntry]) throws {
                try ledger.free(
                    host, of: run, as: fate, remembering: entries.map { $0.reconstructed(on: host) },
                    by: context.user, at: Context.clock.wall())
            }
            if abandoned.contains(host) {
                try free(as: .abandoned, [])
                return ["\(host)", context.style.yellow("abandoned"), "was not asked"]
            }
            switch answers[host] {
            case nil: return ["\(host)", context.style.red("claimed"), "is not in the inventory any more"]
            case .failure(let failure)?: return ["\(host)", context.style.red("claimed"), "\(failure.message)"]
            case .success(let findings)?:
                guard findings.running.isEmpty else {
                    let names = findings.running.map(\.rawValue).joined(separator: ", ")
                    return ["\(host)", context.style.red("claimed"), "is still at \(names)"]
                }
                try free(as: .settled, findings.entries)
                let words: TerminalText =
                    findings.entries.isEmpty
                    ? "nothing of this run" : "\(findings.entries.count) operations, none under way"
                return ["\(host)", context.style.green("free"), words]
            }
        }
    }
}
