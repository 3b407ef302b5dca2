import FoundationEssentials
import GRDB
package import UpgradeDomain

/// A plan as the ledger keeps it.
package struct StoredPlan: Hashable, Sendable {
    /// The plan's identity: SHA-256 of its canonical JSON.
    package var digest: Digest
    package var plan: Plan
    package var addedAt: WallTime
}

/// What a change made of the inventory, and of which.
package struct InventoryChange: Hashable, Sendable {
    package var digest: Digest
    /// Nil at the first import.
    package var previous: FleetInventory?
    package var current: FleetInventory
}

/// A run at a glance, from the ledger's own columns; what the run is doing is folded from its events.
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
    /// Its record can not be followed: it is kept as it is, and nothing is ever appended to it.
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
    /// A NOT NULL text column as one of our names.
    func name<N: Name>(_ column: String) -> N { N(self[column] as String) }
    func time(_ column: String) -> WallTime { WallTime(clamping: self[column]) }
    func unsigned(_ column: String) -> UInt64 { UInt64(clamping: self[column] as Int64) }
    func bytes(_ column: String) -> [UInt8] { [UInt8](self[column] as Data) }
}
