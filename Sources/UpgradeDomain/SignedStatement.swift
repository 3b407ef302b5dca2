/// A statement as it was signed, with what proves it. The ledger keeps it and runs record it; `Approvals` reads and judges it.
package struct SignedStatement: Codable, Hashable, Sendable {
    /// The signed bytes: canonical JSON in ASCII.
    package var text: String
    /// OpenSSH signatures over the text, each as `ssh-keygen -Y sign` writes it, with its armour.
    package var signatures: [String]
    /// Who says so without a signature; counts only where no policy exists. Nil for a signed statement.
    package var claim: StatementClaim?
    /// The leaf of each host that the statement covers. They are not signed: they count if their tree has the root that
    /// is. Nil for a statement that covers no hosts.
    package var leaves: [HostName: Digest]?

    package init(
        text: String, signatures: [String] = [], claim: StatementClaim? = nil, leaves: [HostName: Digest]? = nil
    ) {
        self.text = text
        self.signatures = signatures
        self.claim = claim
        self.leaves = leaves
    }
}

/// An owner's name, as an operating-system user wrote it.
package struct StatementClaim: Codable, Hashable, Sendable {
    package var owner: Owner
    package var claimedBy: String

    package init(owner: Owner, claimedBy: String) {
        self.owner = owner
        self.claimedBy = claimedBy
    }
}
