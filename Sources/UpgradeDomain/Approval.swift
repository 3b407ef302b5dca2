/// An owner's approval of a run, bound to the digests of the plan and of the selected hosts.
package struct Approval: Codable, Hashable, Sendable {
    package var owner: Owner
    package var planDigest: Digest
    package var hostsDigest: Digest
    /// Until signatures exist an approval is a claim of this operating-system user.
    package var claimedBy: String
    package var approvedAt: WallTime
    /// Until then the owner's layers may go back to the declared boundary without another word; nil for not at all.
    package var rollbackUntil: WallTime?
    /// How many runs it serves; nil for any number, as 0.1.0 gave them. A run uses it with its first change; one that changed nothing
    /// gives it back.
    package var runs: Int?
    /// When it ends: a run that has changed nothing by then changes nothing; nil for never.
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
}

/// An owner's approval of one recovery, bound to the boundary that failed, the hosts and the action; not to a digest of
/// evidence, which moves with each capture.
package struct RecoveryApproval: Codable, Hashable, Sendable {
    /// What is approved.
    package enum Action: String, Codable, Hashable, Sendable {
        /// The failed step once more.
        case rerun
        case rollback
    }
    package var owner: Owner
    package var action: Action
    package var boundary: Boundary
    /// In inventory order; only what the owner's layers have there is covered.
    package var hosts: [HostName]
    /// Of a rerun the step from which on every one runs; nil for the one that has failed, or the last.
    package var from: StepName?

    package init(owner: Owner, action: Action, boundary: Boundary, hosts: [HostName], from: StepName? = nil) {
        self.owner = owner
        self.from = from
        self.action = action
        self.boundary = boundary
        self.hosts = hosts
    }
}
