package import UpgradeDomain

/// Who may approve what: people with their keys, the owners of each layer, and how many of them it takes.
///
/// A version of it is signed like a statement. Version N+1 needs the signatures that versions N and N+1 ask of their
/// ``signers``.
package struct Policy: Codable, Hashable, Sendable {
    package static let currentFormat = 1

    /// The version of this shape.
    package var format: Int
    /// ``Purpose/policy``, so that the text says what it is.
    package var purpose: Purpose
    package var ledger: LedgerID
    /// From 1, each one more than the last.
    package var version: Int
    package var issuedAt: SignedTime
    package var people: [Owner: PolicyPerson]
    /// Who decides about the policy itself.
    package var signers: PolicyGroup
    /// The owners of each layer.
    package var layers: [LayerName: PolicyLayer]
    /// Who may approve a rerun or a sign-off in place of a layer's owners; nil for nobody.
    package var onCall: PolicyGroup?
    /// Who signs release manifests; nil if they need no signature.
    package var builders: PolicyGroup?
    package var rules: PolicyRules
    /// What counts no more, as fingerprints (`SHA256:...`) of keys, sorted.
    package var revokedKeys: [String]

    package init(
        ledger: LedgerID, version: Int, issuedAt: WallTime, people: [Owner: PolicyPerson], signers: PolicyGroup,
        layers: [LayerName: PolicyLayer], onCall: PolicyGroup? = nil, builders: PolicyGroup? = nil,
        rules: PolicyRules = PolicyRules(), revokedKeys: [String] = []
    ) {
        format = Policy.currentFormat
        purpose = .policy
        self.ledger = ledger
        self.version = version
        self.issuedAt = SignedTime(issuedAt)
        self.people = people
        self.signers = signers
        self.layers = layers
        self.onCall = onCall
        self.builders = builders
        self.rules = rules
        self.revokedKeys = revokedKeys
    }
}

/// A person, and the keys that are theirs.
package struct PolicyPerson: Codable, Hashable, Sendable {
    /// Public keys as in `authorized_keys`: type and base64.
    package var keys: [String]
    /// Keys for break-glass only; nil if the person has none.
    package var breakGlassKeys: [String]?
    /// Accounts on the coordinator's machine, by which authors and starters are known; nil for none.
    package var accounts: [String]?

    package init(keys: [String], breakGlassKeys: [String]? = nil, accounts: [String]? = nil) {
        self.keys = keys
        self.breakGlassKeys = breakGlassKeys
        self.accounts = accounts
    }
}

/// Some people, and how many of them it takes.
package struct PolicyGroup: Codable, Hashable, Sendable {
    package var people: [Owner]
    /// Of different people, whichever keys they use.
    package var threshold: Int

    package init(people: [Owner], threshold: Int = 1) {
        self.people = people
        self.threshold = threshold
    }
}

/// The owners of a layer.
package struct PolicyLayer: Codable, Hashable, Sendable {
    package var owners: [Owner]
    package var threshold: Int
    /// How many it takes where a plan declares the layer one-way.
    package var oneWayThreshold: Int

    package init(owners: [Owner], threshold: Int = 1, oneWayThreshold: Int = 2) {
        self.owners = owners
        self.threshold = threshold
        self.oneWayThreshold = oneWayThreshold
    }
}

/// What holds for every approval.
package struct PolicyRules: Codable, Hashable, Sendable {
    /// The author of a plan does not count among those who approve it.
    package var notAuthor: Bool
    /// Who starts a run does not count among those who approve it.
    package var notStarter: Bool
    /// Security keys must be touched.
    package var requiresTouch: Bool
    /// The shortest RSA key that counts, in bits; nil if RSA does not count.
    package var minimumRSABits: Int?

    package init(
        notAuthor: Bool = false, notStarter: Bool = false, requiresTouch: Bool = true, minimumRSABits: Int? = nil
    ) {
        self.notAuthor = notAuthor
        self.notStarter = notStarter
        self.requiresTouch = requiresTouch
        self.minimumRSABits = minimumRSABits
    }
}
