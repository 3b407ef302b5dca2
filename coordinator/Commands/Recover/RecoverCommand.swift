import ArgumentParser
import CoordinatorRuntime
import Foundation
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RecoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover", abstract: "Read the boundary record of a held run, and answer it.",
        discussion: """
            The options are printed narrowest first; a wider one than the narrowest needs a --reason, which is recorded.
            Example: lockflight recover
            """,
        subcommands: [
            RecoverShow.self, RecoverRecheck.self, RecoverRerun.self, RecoverSignOff.self, RecoverApprove.self,
        ],
        defaultSubcommand: RecoverShow.self)
}

struct RecoverShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "The boundary record: where it stopped, why, who was touched, the ways on.",
        discussion: """
            With --output it is written to a file that needs neither the ledger nor this program to be read: the record,
            the evidence before and after, and the approvals.
            Example: lockflight recover show r-7k3fq2 --output boundary.md
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .shortAndLong, help: "Write it to this file.", completion: .file()) var output: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        let state = try await control.state()
        guard let record = state.boundaryRecord else {
            throw CommandError(
                .refused, "\(control.run) is \(state.status); it is not held at a boundary",
                next: .status(run: control.run))
        }
        let document = BoundaryDocument(record, of: state, at: Context.clock.wall(), context.commandLines)
        var remarks: [TerminalText] = []
        if let output {
            do {
                try document.page.written.write(toFile: output, atomically: true, encoding: .utf8)
            } catch {
                throw CommandError(
                    .failure, "\(output) could not be written: \(error.localizedDescription)",
                    consequence: "Nothing was written.", next: .showBoundary(run: control.run))
            }
            remarks.append("written to \(output)")
        }
        var report = RunReport(state)
        report.overview.hold?.further = RunOverview.Hold.further(in: state, atMost: .max)
        let view = StatusView(
            report: report, now: Context.clock.wall(), width: context.width, style: context.style,
            commandLines: context.commandLines, driver: nil)
        return CommandResult(lines: view.recoveryLines, document: document, status: state.exitStatus, remarks: remarks)
    }
}

struct RecoverRecheck: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "recheck", abstract: "Someone repaired a host: capture and compare its full family again.",
        discussion: "Example: lockflight recover recheck core-2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "The repaired host.") var host: String

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).requestAndFollow(.recheck(host: HostName(host)))
    }
}

struct RecoverRerun: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerun", abstract: "Run the failed step of a host again, or steps whose verification failed.",
        discussion: """
            Without --from the failed step runs again; where every step has passed and its verification has not, the last one. \
            After a rerun that did not get to its last step, every step that it left.
            With --from every step from that one on runs again, one after the other.
            Only for steps that the plan declares idempotent, or with an owner's recorded sign-off; an owner approves it
            either way.
            Example: lockflight recover rerun core-2 --sign-off ana --reason 'disk was full'
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "The host.") var host: String
    @Option(name: .long, help: "The first step to run again; all that follow it run as well.") var from: String?
    @Option(name: .customLong("as"), help: "An owner who approves it, where nobody has yet.") var owner: String?
    @Option(name: .long, help: "The owner who signs it off: approves steps that are not declared idempotent.")
    var signOff: String?
    @Option(name: .long, help: "Why; recorded. Asked for where it is needed and left out.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let action = RequestedAction.rerun(
            host: HostName(host), signedOffBy: signOff.map { Owner($0) }, from: from.map { StepName($0) })
        return try await control.requestAndFollow(
            action, reason: reason,
            needsReason: signOff.map { owner in
                "to sign off \(from.map { "every step from \($0) on" } ?? "what runs again") of \(host) as \(owner)"
            },
            approvedBy: [owner].compactMap { $0.map { Owner($0) } })
    }
}

struct RecoverApprove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Approve a recovery that somebody else will carry out.",
        discussion: """
            Bound to the boundary that the run is held at, to the hosts and to the action; it ends when the run goes on.
            Example: lockflight recover approve rollback --host core-2 --as ana
            """,
        subcommands: [RecoverApproveRollback.self, RecoverApproveRerun.self])
}

struct RecoverApproveRollback: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Approve a rollback.",
        discussion: "Example: lockflight recover approve rollback --layer core --as ana")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @OptionGroup var chosen: RollbackScopeOptions
    @Option(name: .customLong("as"), help: "The owner who approves.") var owner: String
    @Option(name: .long, help: "Why; recorded.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).approve(
            .rollback(scope: chosen.scope, breakGlass: nil), by: Owner(owner), reason: reason)
    }
}

struct RecoverApproveRerun: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerun", abstract: "Approve running a host's failed step again.",
        discussion: "Example: lockflight recover approve rerun core-2 --as ana")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "The host.") var host: String
    @Option(name: .long, help: "The first of the steps that may run again.") var from: String?
    @Option(name: .customLong("as"), help: "The owner who approves.") var owner: String
    @Option(name: .long, help: "Why; recorded.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).approve(
            .rerun(host: HostName(host), signedOffBy: nil, from: from.map { StepName($0) }), by: Owner(owner),
            reason: reason)
    }
}

struct RecoverSignOff: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign-off", abstract: "Let a rollback's lower layers go past hosts that are not verified.",
        discussion: "Example: lockflight recover sign-off core-2 --as ana --reason 'machine is lost'")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "Hosts that the rollback left unverified.") var hosts: [String]
    @Option(name: .customLong("as"), help: "The owner who signs off.") var owner: String
    @Option(name: .long, help: "Why; recorded. Asked for where it is left out.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let action = RequestedAction.signOff(hosts: hosts.map { HostName($0) }, owner: Owner(owner))
        let control = try await context.control(target)
        return try await control.requestAndFollow(
            action, reason: reason, needsReason: "to go past \(hosts.joined(separator: ", ")) as \(owner)")
    }
}
