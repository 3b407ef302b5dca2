import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import PlanFiles
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RolloutResume: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Continue a run after a pause, a crash, or an answered failure.",
        discussion: """
            Completed work is verified again instead of trusted. After a failed boundary this is refused until every
            failed host is rechecked, rerun or rolled back; the message says what is missing.
            A run that an older build started is checked against this build's rules for plans and hosts. If it breaks
            one, it goes forward only with a --reason. It can always be rolled back.
            Example: lockflight rollout resume
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "Why it goes forward although it breaks this build's rules; recorded.") var reason:
        String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.state()
        let driver = try await control.ledger.currentDriver(of: control.run)
        let broken = state.plan.resumeProblems(over: state.definition)
        switch state.resumption(isDriven: driver != nil) {
        case .closed: throw CommandError(.refused, "\(control.run) is \(state.status)", next: .status(run: control.run))
        case .decision:
            // Other reasons for a refusal are reported first.
            if !broken.isEmpty, reason?.isEmpty != false, state.refusal(of: .resume) == nil {
                throw CommandError(
                    .refused, "\(control.run) breaks rules of this build: \(broken.joined(separator: "; "))",
                    consequence: "Nothing was recorded. With --reason it goes forward anyway.",
                    next: .status(run: control.run))
            }
            var result = try await control.requestAndFollow(.resume, reason: reason)
            result.remarks += RolloutResume.remarks(broken)
            return result
        case .underWay:
            throw CommandError(
                .refused, "\(control.run) is \(try await control.driverSentence())",
                consequence: "Nothing was recorded.",
                next: .watch(run: control.run))
        case .driver:
            // Operations in flight are followed to their end, and nothing new is started.
            let isStopped = !broken.isEmpty && state.refusal(of: .pause) == nil
            if isStopped { _ = try await control.request(.pause, reason: "it breaks rules of this build") }
            if isStopped, let reason, !reason.isEmpty { _ = try await control.request(.resume, reason: reason) }
            var result = try await control.drive()
            result.remarks += RolloutResume.remarks(broken)
            if isStopped, reason?.isEmpty != false {
                result.remarks.append("so it is paused, and goes forward with --reason")
            }
            return result
        }
    }

    private static func remarks(_ broken: [String]) -> [TerminalText] {
        broken.map { "it breaks a rule of this build: \($0)" }
    }
}
