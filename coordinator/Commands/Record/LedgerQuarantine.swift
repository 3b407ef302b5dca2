import AgentProtocol
import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Foundation
import Ledger
import OperatorCommands
import RolloutEngine
import RunRecord
import SafeText
import UpgradeDomain

struct LedgerQuarantine: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine", abstract: "Set aside a run whose record can not be read, and free its hosts.",
        discussion: """
            For a run that has an unreadable event or a broken chain, and no usable backup. The run is kept unchanged \
            for good. Each of its hosts is asked for the outcome of the run's operations there, and is freed once none \
            is in progress. A host that can not be reached stays claimed by the run until it answers or you abandon \
            it. Afterwards the record does not say what a host runs: compare it before the next plan.
            Example: lockflight ledger quarantine r-7k3fq2 --reason 'the disk lost event 57'
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The run.") var run: String
    @Option(name: .long, help: "The reason; recorded. If you leave it out, you are asked.") var reason: String?
    @Option(name: .long, help: "A host to free without an answer, for example because it is gone; repeat for several.")
    var abandon: [String] = []

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let run = try await ledger.run(matching: run).id
        let isQuarantined = try await ledger.quarantine(of: run) != nil
        if !isQuarantined { try await requireBroken(run, ledger) }
        let claimed = try await ledger.claimedHosts(of: run)
        if let stranger = abandon.first(where: { !claimed.contains(HostName($0)) }) {
            throw CommandError(
                .refused, "\(stranger) does not belong to \(run)", consequence: "Nothing was recorded.",
                next: .status(run: run))
        }
        if let driver = try await ledger.currentDriver(of: run) {
            throw CommandError(
                .refused, "\(run) is driven by process \(driver.processID) on \(driver.machine)",
                consequence: "Nothing was recorded. End that process first.", next: .showLease(run: run))
        }
        var why = reason
        if !isQuarantined || !abandon.isEmpty {
            why = try context.reason(reason, for: isQuarantined ? "to abandon hosts" : "to quarantine \(run)")
        }
        let lease = try await ledger.quarantine(
            run, reason: why ?? "", by: context.user, machine: ProcessInfo.processInfo.hostName,
            processID: ProcessInfo.processInfo.processIdentifier, at: Context.clock.wall())
        defer { lease.release() }
        let answers = try await answers(of: claimed, run, lease.fence, ledger, context)
        var found: [Found] = []
        for host in claimed { found.append(try await settle(host, answers[host], of: run, why, ledger, context)) }
        return try result(run, found, ledger, context)
    }

    private func requireBroken(_ run: RunID, _ ledger: Ledger) async throws {
        let verification = try await ledger.verify(run: run)
        if let fault = verification.faults.first {
            throw CommandError(
                .failure, "the ledger as a whole is damaged: \(fault.message)",
                consequence: "Nothing was recorded. Restore a backup.", next: .verifyLedger(file: nil))
        }
        guard verification.chains.contains(where: \.isBroken) else {
            throw CommandError(
                .refused, "the record of \(run) is readable, so there is no reason to quarantine it",
                consequence: "Nothing was recorded.",
                next: .status(run: run))
        }
        let builds = try await ledger.readableEvents(of: run).compactMap { event in
            if case .driverAttached(let driver) = event { driver.build?.version } else { nil }
        }
        let newer = builds.first { $0.compare(LockflightVersion.current, options: .numeric) == .orderedDescending }
        guard let newer else { return }
        throw CommandError(
            .refused, "\(run) was driven by Lockflight \(newer), and this is \(LockflightVersion.current)",
            consequence: "Nothing was recorded. The newer build may be able to read the record.",
            next: .status(run: run))
    }

    /// The state of one host of the run, and why.
    private struct Found: Encodable {
        enum Standing: String, Encodable { case free, abandoned, claimed }
        var host: HostName
        var standing: Standing
        var detail: String
    }

    /// The answers of the hosts that can be asked, at the addresses of the run's record if it has them.
    private func answers(
        of claimed: [HostName], _ run: RunID, _ fence: Fence, _ ledger: Ledger, _ context: Context
    ) async throws -> [HostName: Result<FleetSettlement.Findings, ContactFailure>] {
        let met = RunHosts(try await ledger.readableEvents(of: run))
        let known = met.hosts.merging((try await ledger.currentInventory()?.hosts ?? []).map { ($0.name, $0) }) {
            own, _ in
            own
        }
        let asked = claimed.compactMap { known[$0] }
        guard !asked.isEmpty else { return [:] }
        let connection = try await context.connection(to: asked, of: ledger)
        let hello = DrivingHello(
            ledger: ledger.id, fence: fence, record: LedgerRunLog(ledger: ledger))
        let settlement = FleetSettlement(
            of: run, connector: connection.connector, ledger: ledger.id, hello: hello, identities: met.identities,
            clock: Context.clock)
        let found = await settlement.findings(on: asked)
        await connection.close()
        return Dictionary(zip(asked.map(\.name), found)) { first, _ in first }
    }

    /// Frees a host once no operation of the run is in progress there. A host that answers and is busy is not
    /// abandoned.
    private func settle(
        _ host: HostName, _ answer: Result<FleetSettlement.Findings, ContactFailure>?, of run: RunID, _ why: String?,
        _ ledger: Ledger, _ context: Context
    ) async throws -> Found {
        let silence: String
        switch answer {
        case .success(let findings)?:
            guard findings.isSettled else {
                let names = findings.running.map(\.rawValue).joined(separator: ", ")
                return Found(host: host, standing: .claimed, detail: "still runs \(names)")
            }
            let operations = findings.entries.map { $0.reconstructed(on: host) }
            try await ledger.free(
                host, of: run, as: .settled, reason: nil, remembering: operations, by: context.user,
                at: Context.clock.wall())
            let ends = operations.map { "\($0.operation): \($0.state.sentence)" }
            return Found(
                host: host, standing: .free,
                detail: ends.isEmpty ? "has no operation of this run" : ends.joined(separator: "; "))
        case .failure(let failure)?: silence = failure.message
        case nil: silence = "is not in the inventory any more: import it again so that it can be asked, or abandon it"
        }
        guard abandon.contains(host.rawValue) else { return Found(host: host, standing: .claimed, detail: silence) }
        try await ledger.free(
            host, of: run, as: .abandoned, reason: why, remembering: [], by: context.user, at: Context.clock.wall())
        return Found(host: host, standing: .abandoned, detail: silence)
    }

    private func result(
        _ run: RunID, _ found: [Found], _ ledger: Ledger, _ context: Context
    ) throws -> CommandResult {
        var lines: [TerminalText] = ["\(run) is quarantined: it is kept unchanged for good"]
        let rows = found.map { found -> [TerminalText] in
            let standing: TerminalText =
                switch found.standing {
                case .free: context.style.green("free")
                case .abandoned: context.style.yellow("abandoned")
                case .claimed: context.style.red("claimed")
                }
            return ["\(found.host)", standing, "\(found.detail)"]
        }
        if !rows.isEmpty {
            lines += TextTable(headers: ["HOST", "NOW", "DETAIL"], rows: rows)
                .lines(width: context.width, style: context.style)
        }
        let left = found.filter { $0.standing == .claimed }.map(\.host.rawValue)
        guard !left.isEmpty else {
            return CommandResult(lines: lines, document: found, next: [.status(run: run)])
        }
        return CommandResult(
            lines: lines, document: found, status: .unreachable,
            remarks: [
                "still claimed by \(run): \(left.joined(separator: ", ")); repeat the command once they answer, or abandon those "
                    + "that are gone for good"
            ], next: [.quarantine(run: run, abandoned: [])])
    }
}
