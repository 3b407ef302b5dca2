/// By whose signatures a run goes, frozen at its start. A run without one goes by claims.
package struct RunAuthority: Codable, Hashable, Sendable {
    /// The digest of the text of the policy's first version, which people have compared.
    package var trusted: Digest
    /// Every version of the policy, from the first.
    package var policies: [SignedStatement]
    /// The approvals that the run starts with.
    package var statements: [SignedStatement]
    /// The account that added the plan; nil in plans from builds that recorded none.
    package var author: String?
    /// The account that started the run.
    package var starter: String

    package init(
        trusted: Digest, policies: [SignedStatement], statements: [SignedStatement], author: String?, starter: String
    ) {
        self.trusted = trusted
        self.policies = policies
        self.statements = statements
        self.author = author
        self.starter = starter
    }
}

/// A run waits for an approval before it changes anything more.
package struct ApprovalWait: Codable, Hashable, Sendable {
    /// What it waits before; nil if no approval of the placement counts now.
    package var holdPoint: HoldPoint?
    /// The first placement that waits.
    package var placement: Placement
    /// Where its change would be.
    package var boundary: Boundary
    /// Who may give the approval.
    package var asked: [Owner]
    /// What is missing, in words.
    package var lacking: String

    package init(
        holdPoint: HoldPoint?, placement: Placement, boundary: Boundary, asked: [Owner], lacking: String
    ) {
        self.holdPoint = holdPoint
        self.placement = placement
        self.boundary = boundary
        self.asked = asked
        self.lacking = lacking
    }
}
