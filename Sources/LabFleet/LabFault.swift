/// What can be broken on a lab host. Each fault changes files, processes, permissions, sockets or the sshd. None is a
/// flag that a script or a service reads.
package enum LabFault: String, Codable, Hashable, Sendable, CaseIterable {
    /// The target release's program is damaged: its process ends at once.
    case redeployFails = "redeploy-fails"
    /// Another process holds the deploy lock.
    case redeployHangs = "redeploy-hangs"
    /// The target release is configured to use a folder as its store file.
    case serviceUnhealthy = "service-unhealthy"
    /// The target release is configured to run without one of its workers.
    case serviceMissing = "service-missing"
    /// The target release's prober is configured to pause for a day after its first round.
    case readinessStale = "readiness-stale"
    /// The pid file names another process, so the old one keeps the port and continues to serve.
    case oldProcessServes = "old-process-serves"
    /// The target release was rebuilt: the same version, a different program, and a manifest that matches it.
    case unapprovedBuild = "unapproved-build"
    /// A file of the target release does not match its manifest.
    case materializationDrift = "materialization-drift"
    /// The data folder is writable by everyone.
    case guardrailRefuses = "guardrail-refuses"
    /// The sshd is stopped.
    case sshdDown = "sshd-down"
    /// The sshd has another host key.
    case hostKeyChanged = "host-key-changed"
    /// The agent's state folder is on a full file system. Needs root.
    case diskFull = "disk-full"
    /// The rollback script is truncated.
    case rollbackFails = "rollback-fails"

    /// The hold code that a rollout to the target version ends with.
    package var expectedHoldCode: String {
        switch self {
        case .redeployFails: "step-failed"
        case .redeployHangs: "step-timed-out"
        case .serviceUnhealthy: "evidence-regressed"
        case .serviceMissing: "evidence-missing"
        case .readinessStale: "evidence-stale"
        case .oldProcessServes: "version-mismatch"
        case .unapprovedBuild: "runtime-mismatch"
        case .materializationDrift: "materialization-failed"
        case .guardrailRefuses: "guardrail-refused"
        case .sshdDown: "host-unreachable"
        case .hostKeyChanged: "host-key-changed"
        case .diskFull: "disk-full"
        case .rollbackFails: "rollback-failed"
        }
    }
}
