import FoundationEssentials
import GRDB
package import UpgradeDomain

/// A plan as stored in the ledger.
package struct StoredPlan: Hashable, Sendable {
    /// The plan's identity: SHA-256 of its canonical JSON.
    package var digest: Digest
    package var plan: Plan
    /// The operating-system user who added it; nil for a plan that an older build stored.
    package var addedBy: String?
    package var addedAt: WallTime
}

/// The old and the new inventory of a change.
package struct InventoryChange: Hashable, Sendable {
    package var digest: Digest
    /// Nil for the first import.
    package var previous: FleetInventory?
    package var current: FleetInventory
}

/// A summary of a run, from the ledger's own columns. What the run is doing now is folded from its events.
package struct RunSummary: Hashable, Sendable {
    package var id: RunID
    package var planDigest: Digest
    package var planName: String
    package var startedAt: WallTime
    package var standing: RunStanding
    /// The last event's sequence number and hash.
    package var headSequence: UInt64
    package var headHash: Digest
}

/// Whether a run may still change.
package enum RunStanding: Hashable, Sendable {
    case open
    case finalized
    /// It ended before it changed anything.
    case cancelled
    case superseded(by: RunID)
    /// Its record cannot be followed. It is kept unchanged, and nothing is ever appended to it.
    case quarantined

    var word: String {
        switch self {
        case .open: "open"
        case .finalized: "finalized"
        case .cancelled: "cancelled"
        case .quarantined: "quarantined"
        case .superseded: "superseded"
        }
    }

    var successor: RunID? {
        switch self {
        case .open, .finalized, .cancelled, .quarantined: nil
        case .superseded(let successor): successor
        }
    }
}

extension Row {
    /// A NOT NULL text column as one of Lockflight's name types.
    func name<N: Name>(_ column: String) -> N { N(self[column] as String) }
    func time(_ column: String) -> WallTime { WallTime(clamping: self[column]) }
    func unsigned(_ column: String) -> UInt64 { UInt64(clamping: self[column] as Int64) }
    func bytes(_ column: String) -> [UInt8] { [UInt8](self[column] as Data) }
}
