/// Why a run is held; stable words that scripts and people may rely on.
package enum HoldCode: String, Codable, Hashable, Sendable, CaseIterable {
    // Reaching the host.
    case hostUnreachable = "host-unreachable"
    case hostKeyChanged = "host-key-changed"
    case hostKeyUnknown = "host-key-unknown"
    case authenticationRefused = "authentication-refused"
    case agentUnusable = "agent-unusable"
    case hostOwnedElsewhere = "host-owned-elsewhere"
    case ledgerCopied = "ledger-copied"
    case machineChanged = "machine-changed"
    case machineDuplicated = "machine-duplicated"
    // Preflight.
    case scriptMissing = "script-missing"
    case rollbackPrerequisiteMissing = "rollback-prerequisite-missing"
    case diskFull = "disk-full"
    case sourceVersionMismatch = "source-version-mismatch"
    // Evidence.
    case baselineIncomplete = "baseline-incomplete"
    case baselineUnhealthy = "baseline-unhealthy"
    case baselineDrift = "baseline-drift"
    case versionMismatch = "version-mismatch"
    case runtimeMismatch = "runtime-mismatch"
    case materializationFailed = "materialization-failed"
    case evidenceUnknown = "evidence-unknown"
    case evidenceStale = "evidence-stale"
    case evidenceContradictory = "evidence-contradictory"
    case evidenceMissing = "evidence-missing"
    case evidenceRegressed = "evidence-regressed"
    case pathFailed = "path-failed"
    case instrumentChanged = "instrument-changed"
    // Operations.
    case guardrailRefused = "guardrail-refused"
    case stepFailed = "step-failed"
    case stepTimedOut = "step-timed-out"
    case stepInterrupted = "step-interrupted"
    case operationRefused = "operation-refused"
    case operationUnsettled = "operation-unsettled"
    case hostBlocked = "host-blocked"
    case changeReverted = "change-reverted"
    // Time and people.
    case progressDeadline = "progress-deadline"
    case rollbackRequested = "rollback-requested"
    case rollbackFailed = "rollback-failed"
    case rollbackUnverified = "rollback-unverified"
    case rollbackCopyVanished = "rollback-copy-vanished"
    // The record.
    case illegalMove = "illegal-move"
}
