import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Ledger
import OperatorCommands
import RunViews
import SafeText
import UpgradeDomain

struct InventoryCheck: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Connect to every host and check it, without changing anything.",
        discussion: """
            Checks the host key, the login, the agent, the plan's scripts (with --plan), free disk space and the clock.
            A host that is in no layer is checked only as the jump host of others.
            Example: lockflight inventory check --plan upgrade-1.5.0
            """)

    /// A clock that is off by more than this is highlighted.
    static let toleratedClockOffsetMilliseconds: Int64 = 5_000

    @OptionGroup var options: GlobalOptions
    @Option(name: .long, help: "Also check the scripts of this plan.") var plan: String?
    @Argument(help: "Only these hosts.") var hosts: [String] = []

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        let chosen: Plan? = if let plan { try await ledger.plan(matching: plan).plan } else { nil }
        let selected = inventory.hosts.filter { host in
            !host.placements.isEmpty && (hosts.isEmpty || hosts.contains(host.name.rawValue))
        }
        guard !selected.isEmpty else {
            throw CommandError(.refused, "there is no host in a layer to check", next: .listInventory)
        }
        let connection = try await context.connection(to: selected, of: ledger)
        let check = FleetCheck(connector: connection.connector, ledger: ledger.id, clock: Context.clock)
        var reports = await check.reports(of: selected, plan: chosen)
        await connection.close()
        reports.nameTwins(among: selected, context.commandLines)
        let style = context.style
        var said = SaidOnce()
        let rows = reports.map { report -> [TerminalText] in
            let clock: TerminalText = report.clockOffsetMilliseconds.map { "\($0) ms" } ?? "-"
            let disk: TerminalText = report.freeDiskMebibytes.map { "\($0) MiB" } ?? "-"
            let far = (report.clockOffsetMilliseconds ?? 0).magnitude > InventoryCheck.toleratedClockOffsetMilliseconds
            return [
                "\(report.host)", report.problem == nil ? style.green("ok") : style.red("\(report.code ?? "failed")"),
                far ? style.yellow(clock) : clock, disk, "\(report.agentVersion ?? "-")",
                "\(report.problem.map { said.words($0, of: report.host.rawValue) } ?? "")",
            ]
        }
        let table = TextTable(headers: ["HOST", "RESULT", "CLOCK", "DISK", "AGENT", "PROBLEM"], rows: rows)
        let failed = reports.contains { $0.problem != nil }
        let keys = [HoldCode.hostKeyUnknown, .hostKeyChanged].map(\.rawValue)
        let strangers = reports.filter { $0.code.map(keys.contains) == true }.map(\.host)
        let isDirect = selected.allSatisfy { !strangers.contains($0.name) || $0.jump == nil }
        return CommandResult(
            lines: table.lines(width: context.width, style: style), document: reports,
            status: failed ? .unreachable : .verified,
            remarks: reports.compactMap { report in
                report.exposedPaths.map {
                    "on \(report.host) accounts other than root and its own can choose what runs: they can write \($0.joined(separator: ", "))"
                }
            },
            next: strangers.isEmpty ? [] : [.replaceKeys(hosts: isDirect ? strangers : [])])
    }
}

extension [FleetCheck.Report] {
    /// Marks hosts that answer with the same agent identity.
    fileprivate mutating func nameTwins(among hosts: [Host], _ lines: CommandLines) {
        let known = Dictionary(hosts.map { ($0.name, $0) }) { first, _ in first }
        var first: [AgentIdentity: HostName] = [:]
        for index in indices where self[index].problem == nil {
            guard let agent = self[index].agent else { continue }
            guard let twin = first[agent], let host = known[self[index].host] else {
                first[agent] = self[index].host
                continue
            }
            self[index].code = HoldCode.machineDuplicated.rawValue
            self[index].problem =
                "\(host.name) and \(twin) have the same agent identity: they are one machine, or one was cloned from the other; "
                + "if it was cloned, renew the identity there: \(lines.line(.renewIdentity(of: host)))"
        }
    }
}
