package import UpgradeDomain

/// The result of checking a ledger against itself.
package struct Verification: Hashable, Sendable {
    /// One verdict per checked run, the earliest started first.
    package var chains: [ChainVerdict]
    /// What is wrong outside the chains: the file, its schema, stored documents.
    package var faults: [LedgerFault]

    /// Whether nothing is wrong, apart from runs that a person has quarantined.
    package var isSound: Bool { faults.isEmpty && chains.allSatisfy { $0.faults.isEmpty || $0.isQuarantined } }

    /// What no check of the ledger alone can find; shown next to a sound verdict.
    package static let undetectable = """
        Without a witness this can not distinguish a sound ledger from one that was rewritten completely by \
        someone who recomputed every hash, or from an older copy. Compare it with what its hosts keep \
        (ledger witness), or with a head that someone else kept.
        """
}

/// The result of checking one run.
package struct ChainVerdict: Hashable, Sendable {
    package var run: RunID
    /// The last event that the chain proves, and its hash. Compare them with a witness.
    package var provenSequence: UInt64
    package var provenHash: Digest
    /// The first broken event comes first.
    package var faults: [LedgerFault]
    /// Its faults are known: the run was quarantined because of them.
    package var isQuarantined = false
    /// The run is still open, so a person must decide about it.
    package var isOpen = true

    /// Whether its events were changed, are missing or cannot be read, so that they cannot be followed.
    package var isBroken: Bool {
        faults.contains { fault in
            switch fault.code {
            case .eventMissing, .eventChanged, .eventUnlinked, .eventUnreadable, .headDiffers: true
            case .fileDamaged, .schemaChanged, .documentChanged, .projectionDiffers, .evidenceMissing,
                .evidenceChanged:
                false
            }
        }
    }
}

/// One inconsistency.
package struct LedgerFault: Hashable, Sendable {
    /// The kind of inconsistency, as a closed list.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// SQLite's own check of the file failed.
        case fileDamaged
        /// A table, index or trigger differs from the one that this version creates.
        case schemaChanged
        /// A plan, an inventory or a signed text does not match its digest, or a version of the policy is missing.
        case documentChanged
        /// A sequence number is missing.
        case eventMissing
        /// An event's content does not match its hash.
        case eventChanged
        /// An event is not linked to the one before it.
        case eventUnlinked
        /// An event matches its hash, but this version cannot read it.
        case eventUnreadable
        /// The chain does not end at the head that the run's row stores.
        case headDiffers
        /// A cached value (standing, claims, digests, leases) does not match the events.
        case projectionDiffers
        /// Raw evidence that an event refers to is missing.
        case evidenceMissing
        /// Raw evidence does not match its digest.
        case evidenceChanged
    }

    package var code: Code
    /// The event concerned; nil if it is no particular event.
    package var sequence: UInt64?
    package var message: String
}
