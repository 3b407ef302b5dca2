import UpgradeDomain

/// What a plan has where its file leaves a time out.
enum PlanDefaults {
    /// Of a request, as long as people wait for a page.
    static let requestTimeoutSeconds = 10
    /// Of a guardrail, of the materialization check, and of a command that is evidence.
    static let checkTimeoutSeconds = 60
    /// Of a step and of a rollback, as Kubernetes waits for a rollout.
    static let stepTimeoutSeconds = 600
    static let healthyWithinSeconds = 120
    static let sampleSeconds = 5
    /// The shortest time in which a batch has to get further.
    static let progressDeadlineSeconds = 600

    /// In which a batch of a layer has to get further: longer than its longest step may take, with the guardrails before it.
    static func progressDeadlineSeconds(steps: [Step], guardrails: [ScriptCommand]) -> Int {
        let longest = steps.map { $0.command.timeoutSeconds + ($0.rebootWithinSeconds ?? 0) }.max() ?? 0
        let before = guardrails.reduce(0) { $0 + $1.timeoutSeconds }
        return max(progressDeadlineSeconds, min(longest + before + checkTimeoutSeconds, 86_400))
    }
}
