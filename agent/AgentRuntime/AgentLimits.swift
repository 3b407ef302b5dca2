import UpgradeDomain

/// The limits that the agent sets for itself and for its requests. Limits shared by both sides are in `ProtocolLimits`.
enum AgentLimits {
    /// Room reserved on disk for the result of an operation before it starts.
    static let resultReserveBytes = 65_536
    /// How long a process group has after SIGTERM before SIGKILL.
    static let terminationGrace: Duration = .seconds(5)
    /// How long a process group has after SIGKILL before its members count as survivors.
    static let killGrace: Duration = .seconds(2)
    /// How long a request waits while another session briefly holds the journal.
    static let journalLockWait: Duration = .seconds(10)
    /// How long a start waits for the supervisor of an ended operation to exit.
    static let handOverWait: Duration = .seconds(2)
    /// How often running output and ending processes are polled.
    static let pollInterval: Duration = .milliseconds(20)
    /// How often an attached session checks whether a silent operation's supervisor is alive.
    static let livenessInterval: Duration = .milliseconds(500)
    /// The maximum number of output slices in one read of an operation.
    static let slicesPerLook = 16
    /// How much is kept from the beginning of an output that is too long.
    static let outputHeadBytes: Int64 = 1_048_576
    /// How far output may exceed its limit before the excess is dropped.
    static let outputSlackBytes: Int64 = 1_048_576
    /// The largest script that is digested and preserved.
    static let scriptBytes = 16_777_216
    /// The largest file of its own that the agent reads back.
    static let stateFileBytes = 2_097_152
    /// Captures and attachments running at once in one session.
    static let requestsInFlight = 16
    /// The number of operations, and of tombstones, that are kept although no run needs them any more.
    static let keptOperations = 1_000
    /// How much is kept for the rollback of one run.
    static let keptFiles = 2_000
    static let keptBytes = 33_554_432
    /// The number of files of plans that are kept. A run brings its own with each connection.
    static let keptCarriedFiles = 256
    /// The number of runs whose scripts are kept.
    static let keptPreservedRuns = 20
    /// The number of runs whose newest head is kept.
    static let keptHeads = 100
    /// The maximum number of journal entries in one reply, the newest first.
    static let journalEntries = 1_000
    /// The longest timeout of an operation or a guardrail.
    static let operationTimeoutSeconds = 604_800
    /// The longest wait for a confirmation.
    static let confirmSeconds = 86_400
    /// How often a rollback that could not begin, for example on a full disk, is tried again.
    static let revertRetry: Duration = .seconds(1)
    /// The longest timeout of one surface.
    static let surfaceTimeoutSeconds = RequestRule.surfaceTimeoutSeconds
    /// The pause after the first 429 that names no pause; it doubles each time.
    static let limitedPauseSeconds = 1
    /// The largest file that a secret is read from.
    static let secretFileBytes = 65_536
    /// The shortest secret that is searched for in an answer and masked.
    static let redactedSecretBytes = 4
    /// The maximum size of an answer's head in curl's output.
    static let headBytes = 65_536
    /// The largest manifest of a release, and the maximum number of files in one.
    static let manifestBytes = 4_194_304
    static let manifestFiles = 20_000
    /// The largest kernel table that is read for a runtime proof.
    static let processTableBytes = 16_777_216
    /// The longest explanation kept in a record.
    static let detailCharacters = 1_000
}
