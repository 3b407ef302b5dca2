import AgentProtocol
import RolloutEngine
package import UpgradeDomain

/// Connects to hosts and checks them, without claiming or changing them.
package struct FleetCheck: Sendable {
    private let reader: FleetReader

    package init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// What one host answered.
    package struct Report: Codable, Hashable, Sendable {
        package var host: HostName
        package var agentVersion: String?
        /// The identity of the machine that answered.
        package var agent: AgentIdentity?
        package var clockOffsetMilliseconds: Int64?
        package var freeDiskMebibytes: Int64?
        /// The plan's scripts that accounts other than root and the agent's can write, and which accounts.
        package var exposedPaths: [String]?
        /// The code and the description of what is wrong; nil if the host is fit.
        package var code: String?
        package var problem: String?
    }

    /// One report per host, in the order given.
    package func reports(of hosts: [Host], plan: Plan?) async -> [Report] {
        await reader.answers(of: hosts) { await report(of: $0, plan: plan) }
    }

    private func report(of host: Host, plan: Plan?) async -> Report {
        var report = Report(host: host.name)
        do throws(ContactFailure) {
            try await reader.read(host) { session, hello throws(ContactFailure) in
                try await look(host, plan, session, hello, &report)
            }
        } catch {
            report.code = error.code.rawValue
            report.problem = error.message
        }
        return report
    }

    private func look(
        _ host: Host, _ plan: Plan?, _ session: AgentSession, _ hello: HelloReply, _ report: inout Report
    ) async throws(ContactFailure) {
        report.agentVersion = hello.agentVersion
        report.agent = hello.identity
        if let owner = hello.owner, owner != reader.ledger {
            throw ContactFailure(.hostOwnedElsewhere, "\(host.name) is driven by the ledger \(owner)")
        }
        try await session.carry(plan?.files ?? [])
        let layers = (plan?.layers ?? []).filter { host.placement(in: $0.name) != nil }
        var all: PreflightFacts?
        let places = PreflightNeeds.all(of: host, plan, layers, run: "check")
        for needs in places {
            var found = try await look(needs, plan, session, hello)
            if places.count > 1 { found = found.placed(in: needs.workingDirectory) }
            all?.add(found)
            all = all ?? found
        }
        guard let facts = all else { return }
        report.clockOffsetMilliseconds = facts.clockOffsetMilliseconds
        report.freeDiskMebibytes = facts.freeDiskMebibytes
        report.exposedPaths = facts.exposedPaths.isEmpty ? nil : facts.exposedPaths
        if let problem = facts.problems(minimumFreeDiskMebibytes: plan?.minimumFreeDiskMebibytes ?? 0).first {
            throw ContactFailure(problem.code, problem.detail)
        }
    }

    private func look(
        _ needs: PreflightNeeds, _ plan: Plan?, _ session: AgentSession, _ hello: HelloReply
    ) async throws(ContactFailure) -> PreflightFacts {
        let triesKeeping = await session.protocolVersion >= 3 && plan != nil
        let reply = try await session.single(
            .preflight(
                PreflightRequest(
                    run: nil, workingDirectory: needs.workingDirectory, commands: needs.commands,
                    requires: [RollbackArtifact(path: needs.workingDirectory)] + needs.requires, preserve: [],
                    keeps: triesKeeping ? needs.keeps : nil)),
            timeout: HostWork.preflightTimeout(needs.requires))
        guard case .preflight(let found) = reply else { throw unexpected(reply, to: "preflight") }
        let differences = try await session.releaseDifferences(needs)
        return PreflightFacts(found, of: hello, at: reader.clock.wall(), releaseDifferences: differences)
    }
}
