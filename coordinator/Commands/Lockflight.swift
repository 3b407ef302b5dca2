package import ArgumentParser
import Glibc
import UpgradeDomain

/// The `lockflight` command.
package struct Lockflight: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "lockflight",
        abstract: "Upgrades a fleet layer by layer and stops at the first failed boundary.",
        discussion: """
            A first rollout:
              lockflight init
              lockflight inventory import fleet.yaml
              lockflight inventory trust --known-hosts ~/.ssh/known_hosts
              lockflight inventory check
              lockflight plan add plan.yaml
              lockflight plan approve PLAN --as OWNER
              lockflight rollout start PLAN --watch

            Exit codes:
            \(ExitStatus.allCases.map(\.row).joined(separator: "\n"))
            """,
        version: LockflightVersion.current,
        subcommands: [
            InitCommand.self, InventoryCommand.self, PlanCommand.self, PolicyCommand.self, RolloutCommand.self,
            RecoverCommand.self,
            RollbackCommand.self,
            StatusCommand.self, OutputCommand.self, ReportCommand.self, EvidenceCommand.self, EventsCommand.self,
            ApprovalCommand.self, ReleaseCommand.self, LeaseCommand.self,
            LedgerCommand.self, BackupCommand.self, RestoreCommand.self, LabCommands.self,
        ])

    package init() {}
}

extension Lockflight {
    /// Parses the arguments of this process, runs the command and ends the process with its exit code.
    package static func runFromCommandLine() async {
        // If a file reaches its size limit, write(2) reports an error; the signal must not end the process.
        signal(SIGXFSZ, SIG_IGN)
        // Files about a fleet are private to its operator by default.
        umask(0o077)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let code = exitCode(for: error)
            Renderer.deliver(fullMessage(for: error), isHelp: code == .success)
            if code == .success, let problem = Renderer.outputProblem(instead: .verified) {
                Renderer.deliver("error: \(problem.message)", isHelp: false)
                Glibc.exit(problem.status.rawValue)
            }
            Glibc.exit(code.rawValue)
        }
    }
}
