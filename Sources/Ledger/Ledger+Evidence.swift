import ContentDigest
import FoundationEssentials
import GRDB
public import UpgradeDomain

extension Ledger {
    /// Stores raw evidence by its digest, in one durable transaction; what is already there is kept.
    ///
    /// Store evidence before the events that refer to it: evidence without an event is harmless, the reverse is a
    /// fault that ``verify(run:)`` reports.
    ///
    /// - Returns: The digests, in the order of `blobs`.
    public func store(_ blobs: [[UInt8]], at time: WallTime) throws(LedgerError) -> [Digest] {
        guard blobs.count <= LedgerLimits.blobsPerStore else {
            throw LedgerError(
                .tooLarge,
                "One call stores at most \(LedgerLimits.blobsPerStore) pieces of evidence, not "
                    + "\(blobs.count); nothing was stored.")
        }
        if let large = blobs.first(where: { $0.count > LedgerLimits.blobBytes }) {
            throw LedgerError(
                .tooLarge,
                "A piece of evidence has \(large.count) bytes, more than the limit of "
                    + "\(LedgerLimits.blobBytes); nothing was stored.")
        }
        let digests = blobs.map { Digest.sha256(of: $0) }
        return try write("store \(blobs.count) pieces of evidence") { db in
            let insert = try db.cachedStatement(
                sql: """
                    INSERT INTO blobs (digest, bytes, stored_at_milliseconds) VALUES (?, ?, ?)
                    ON CONFLICT (digest) DO NOTHING
                    """)
            for (digest, blob) in zip(digests, blobs) {
                try insert.execute(arguments: [digest.rawValue, blob.data, time.milliseconds])
            }
            return digests
        }
    }

    /// The raw evidence with a digest; nil when it was never stored.
    public func blob(_ digest: Digest) throws(LedgerError) -> [UInt8]? {
        try read("read the evidence \(digest.short)") { db in
            try Row.fetchOne(db, sql: "SELECT bytes FROM blobs WHERE digest = ?", arguments: [digest.rawValue])?
                .bytes("bytes")
        }
    }
}
