package import AgentProtocol
package import UpgradeDomain

/// What the supervisor of one operation does next, as a value: guardrails in order, the command, the record, and where
/// the intent asks for it the wait for a confirmation. `OperationSupervisor` carries it out.
///
/// There is no way back into an earlier state: a supervisor that dies is never taken up again, its operation is
/// *interrupted*.
package struct Supervision: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case runGuardrail(ScriptCommand)
        case runCommand
        /// Write how it ended; the operation is over for everyone who asks.
        case record(OperationOutcome)
        /// Wait for a confirmation, and take the host back without one.
        case awaitConfirmation(RevertIntent)
        case leave
    }

    private enum State: Hashable, Sendable {
        case idle
        /// The guardrail with this index runs.
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

    /// A guardrail's end as a shell would number it.
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
    /// Whether another request asks for the same. A coordinator of an earlier build names no secrets in it.
    func isRepeated(by other: StartRequest) -> Bool {
        var (own, other) = (self, other)
        own.secretFiles = nil
        other.secretFiles = nil
        return own == other
    }

    /// The request under which a host runs its rollback by itself; nil where it never does.
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
