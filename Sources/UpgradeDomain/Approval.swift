/// An owner's approval of a run, bound to the digests of the plan and of the selected hosts.
package struct Approval: Codable, Hashable, Sendable {
    package var owner: Owner
    package var planDigest: Digest
    package var hostsDigest: Digest
    /// It is a claim by this operating-system user, and counts where no policy exists.
    package var claimedBy: String
    package var approvedAt: WallTime
    /// Until this time the owner's layers may roll back to the declared boundary without another approval; nil if they
    /// may not.
    package var rollbackUntil: WallTime?
    /// How many runs it is valid for; nil for any number, as in approvals from 0.1.0. A run uses the approval with its
    /// first change. A run that changed nothing does not use it up.
    package var runs: Int?
    /// When it expires: a run that has changed nothing by then may no longer change anything; nil for never.
    package var until: WallTime?

    package init(
        owner: Owner, planDigest: Digest, hostsDigest: Digest, claimedBy: String, approvedAt: WallTime,
        rollbackUntil: WallTime? = nil, runs: Int? = nil, until: WallTime? = nil
    ) {
        self.owner = owner
        self.planDigest = planDigest
        self.hostsDigest = hostsDigest
        self.claimedBy = claimedBy
        self.approvedAt = approvedAt
        self.rollbackUntil = rollbackUntil
        self.runs = runs
        self.until = until
    }

    /// Whose it is, and by whose word.
    package var words: String { "\(owner), \(claimWords(by: claimedBy))" }
}

/// An owner's approval of one recovery. It is bound to the failed boundary, the hosts and the action. It is not bound
/// to a digest of evidence, because that changes with each capture.
package struct RecoveryApproval: Codable, Hashable, Sendable {
    /// What is approved.
    package enum Action: String, Codable, Hashable, Sendable {
        /// Run the failed step again.
        case rerun
        case rollback
    }
    package var owner: Owner
    package var action: Action
    package var boundary: Boundary
    /// In inventory order. Only what the owner's layers have on these hosts is covered.
    package var hosts: [HostName]
    /// For a rerun: the step to start from; every later step runs too. Nil for the failed step, or the last one.
    package var from: StepName?

    package init(owner: Owner, action: Action, boundary: Boundary, hosts: [HostName], from: StepName? = nil) {
        self.owner = owner
        self.from = from
        self.action = action
        self.boundary = boundary
        self.hosts = hosts
    }
}
