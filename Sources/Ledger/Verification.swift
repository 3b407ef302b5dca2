package import UpgradeDomain

/// What checking a ledger against itself found.
package struct Verification: Hashable, Sendable {
    /// One verdict per run that was checked, the first started first.
    package var chains: [ChainVerdict]
    /// What is wrong outside of the chains: the file, its schema, stored documents.
    package var faults: [LedgerFault]

    /// Whether nothing is wrong but what a person has set aside.
    package var isSound: Bool { faults.isEmpty && chains.allSatisfy { $0.faults.isEmpty || $0.isQuarantined } }

    /// What no check of the ledger alone can find, to be shown beside a sound verdict.
    package static let undetectable = """
        Without a witness this can not tell a sound ledger from one that was rewritten whole by someone who \
        recomputed every hash, or from an older copy. Compare it with what its hosts keep (ledger witness), or \
        with a head that somebody else kept.
        """
}

/// What checking one run found.
package struct ChainVerdict: Hashable, Sendable {
    package var run: RunID
    /// The last event that the chain proves, and its hash; compare them with a witness.
    package var provenSequence: UInt64
    package var provenHash: Digest
    /// The first broken event comes first.
    package var faults: [LedgerFault]
    /// Its faults are known: the run was set aside for them.
    package var isQuarantined = false
    /// It may still go on, so somebody has to decide about it.
    package var isOpen = true

    /// Whether its events are other than they were, missing or unreadable, so that nobody can follow them.
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

/// One thing that does not fit.
package struct LedgerFault: Hashable, Sendable {
    /// What does not fit, as a closed list.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// SQLite's own check of the file failed.
        case fileDamaged
        /// A table, index or trigger is not the one that this version creates.
        case schemaChanged
        /// A plan or inventory does not have its digest.
        case documentChanged
        /// A sequence number is absent.
        case eventMissing
        /// An event's content does not have its hash.
        case eventChanged
        /// An event does not follow the one before it.
        case eventUnlinked
        /// An event has its hash but is no event that this version reads.
        case eventUnreadable
        /// The chain ends before the head that the run's row remembers, or elsewhere.
        case headDiffers
        /// A cached value (standing, claims, digests, leases) is not what the events say.
        case projectionDiffers
        /// Raw evidence that an event refers to is absent.
        case evidenceMissing
        /// Raw evidence does not have its digest.
        case evidenceChanged
    }

    package var code: Code
    /// The event concerned; nil when it is none in particular.
    package var sequence: UInt64?
    package var message: String
}
