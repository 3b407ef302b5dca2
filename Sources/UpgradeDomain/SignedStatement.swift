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

    /// How it reads everywhere.
    package var words: String { "\(owner), \(claimWords(by: claimedBy))" }
}

/// How a claim reads everywhere: what somebody says in another's name, without a signature.
///
/// - Parameter account: the operating-system user who says so.
package func claimWords(by account: String) -> String { "claimed by OS user \(account), unsigned" }

/// The identity of a statement: 128 random bits as 32 hexadecimal digits.
package struct StatementID: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    /// Whether it is written as this project writes it.
    package var isWellFormed: Bool {
        rawValue.utf8.count == 32
            && rawValue.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// The first eight digits, for display.
    package var short: String { String(rawValue.prefix(8)) }
}
