package import AgentProtocol
package import UpgradeDomain

/// What the supervisor of one operation does next, as a value: the guardrails in order, the command, the record, and
/// the wait for a confirmation if the intent requires one. `OperationSupervisor` carries it out.
///
/// It never returns to an earlier state. A supervisor that dies is never resumed; its operation is *interrupted*.
package struct Supervision: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case runGuardrail(ScriptCommand)
        case runCommand
        /// Write how it ended. The operation is now over for every caller.
        case record(OperationOutcome)
        /// Wait for a confirmation, and roll the host back if there is none.
        case awaitConfirmation(RevertIntent)
        case leave
    }

    private enum State: Hashable, Sendable {
        case idle
        /// The guardrail with this index is running.
        case guarding(Int)
        case changing
        case recording(OperationOutcome)
        case left
    }

    private let request: StartRequest
    private var state = State.idle

    package init(_ request: StartRequest) { self.request = request }

    package mutating func begin() -> Action { guarding(0) }

    /// A guardrail or the command ended, or could not be started.
    package mutating func ended(_ outcome: OperationOutcome) -> Action {
        switch state {
        case .guarding(let index):
            if outcome == .exited(code: 0) { return guarding(index + 1) }
            return recording(
                .guardrailRefused(
                    guardrail: String(request.guardrails[index].scriptPath.prefix(AgentLimits.detailCharacters)),
                    code: Supervision.exitCode(of: outcome)))
        case .changing: return recording(outcome)
        case .idle, .recording, .left: return .leave
        }
    }

    /// The guardrail or command could not even be tried.
    package mutating func failed(_ detail: String) -> Action { recording(.notStarted(detail: detail)) }

    /// The record is durable.
    package mutating func recorded() -> Action {
        guard case .recording(let outcome) = state else { return .leave }
        state = .left
        if let revert = request.intent.revert, outcome.isConfirmable { return .awaitConfirmation(revert) }
        return .leave
    }

    private mutating func guarding(_ index: Int) -> Action {
        guard index < request.guardrails.count else {
            state = .changing
            return .runCommand
        }
        state = .guarding(index)
        return .runGuardrail(request.guardrails[index])
    }

    private mutating func recording(_ outcome: OperationOutcome) -> Action {
        state = .recording(outcome)
        return .record(outcome)
    }

    /// The exit code of a guardrail, numbered as a shell would.
    private static func exitCode(of outcome: OperationOutcome) -> Int {
        switch outcome {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        case .timedOut: 124
        case .interrupted, .rebooted, .guardrailRefused, .notStarted: 127
        }
    }
}

extension StartRequest {
    /// Whether another request asks for the same operation. A coordinator of an earlier build does not name secrets in
    /// it.
    func isRepeated(by other: StartRequest) -> Bool {
        var (own, other) = (self, other)
        own.secretFiles = nil
        other.secretFiles = nil
        return own == other
    }

    /// The request with which a host runs its rollback by itself; nil if it never does.
    package var revertRequest: StartRequest? {
        guard let revert, let order = intent.revert else { return nil }
        var own = intent
        own.id = order.id
        own.action = .rollback
        own.revert = nil
        return StartRequest(
            intent: own, run: run, chainHead: chainHead, workingDirectory: workingDirectory,
            guardrails: revert.guardrails, command: revert.command, usesPreservedScript: true,
            secretFiles: secretFiles)
    }
}
