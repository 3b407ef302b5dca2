import ContentDigest
import FoundationEssentials
import GRDB
import SafeText
package import UpgradeDomain

extension Ledger {
    /// The raw evidence with a digest; nil if it was never stored.
    package func blob(_ digest: Digest) throws(LedgerError) -> [UInt8]? {
        try read("read the evidence \(digest.short)") { db in
            try Row.fetchOne(db, sql: "SELECT bytes FROM blobs WHERE digest = ?", arguments: [digest.rawValue])?
                .bytes("bytes")
        }
    }
}

/// Raw evidence with its digests, computed outside of any transaction.
struct KeptEvidence {
    fileprivate let blobs: [(digest: Digest, bytes: [UInt8])]

    init(_ evidence: [[UInt8]]) throws(LedgerError) {
        if let large = evidence.first(where: { $0.count > LedgerLimits.blobBytes }) {
            throw LedgerError(
                .tooLarge,
                "A piece of evidence has \(counted(large.count, "byte")), more than the limit of "
                    + "\(LedgerLimits.blobBytes); nothing was recorded.")
        }
        let bytes = evidence.reduce(0) { $0 + $1.count }
        guard bytes <= LedgerLimits.evidenceBytes else {
            throw LedgerError(
                .tooLarge,
                "One call keeps at most \(LedgerLimits.evidenceBytes) bytes of evidence, not \(bytes); nothing was recorded."
            )
        }
        blobs = evidence.map { (Digest.sha256(of: $0), $0) }
    }
}

extension Database {
    /// Stores raw evidence within the caller's transaction, so that there is never an event without its evidence, or
    /// the reverse.
    func keep(_ evidence: KeptEvidence, at time: WallTime) throws {
        guard !evidence.blobs.isEmpty else { return }
        let insert = try cachedStatement(
            sql: """
                INSERT INTO blobs (digest, bytes, stored_at_milliseconds) VALUES (?, ?, ?)
                ON CONFLICT (digest) DO NOTHING
                """)
        for blob in evidence.blobs {
            try insert.execute(arguments: [blob.digest.rawValue, blob.bytes.data, time.milliseconds])
        }
    }
}
