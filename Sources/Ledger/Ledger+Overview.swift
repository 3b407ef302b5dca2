import ContentDigest
import GRDB
package import UpgradeDomain

extension Ledger {
    /// The stored overview of a run. Nil if it is missing, older than the last event, or was written by another build,
    /// whose wording may differ. Then the events must be read.
    ///
    /// - Parameters:
    ///   - build: the version of this program.
    ///   - limit: for a layer with more placements than this, only the pressing ones are read, and at most this many;
    ///     nil reads all.
    package func overview(
        of run: RunID, build: String, placementsPerLayer limit: Int? = nil
    ) throws(LedgerError) -> StoredOverview? {
        try read("show the run \(run)") { db in
            let head = try db.existingRun(run).head
            guard let document = try db.overviewDocument(of: run, at: head.sequence, build: build) else { return nil }
            var reader = OverviewReader()
            let layers = try reader.layers(of: run, db)
            let placements = try layers.flatMap { layer in
                try reader.placements(of: run, in: layer, pressing: limit.flatMap { layer.count > $0 ? $0 : nil }, db)
            }
            return StoredOverview(
                headSequence: head.sequence, headHash: head.hash, document: document,
                tallies: layers.flatMap(\.tallies), placements: placements)
        }
    }
}

/// Reads overviews. Thousands of placements share the same versions, so each is decoded once.
private struct OverviewReader {
    /// A layer's placements are one contiguous range of the plan's order.
    struct LayerPiece {
        var positions: ClosedRange<Int>
        var tallies: [PlacementTally]
        var count: Int { positions.count }
    }

    private var versions: [String: [ComponentName: Version]] = [:]

    /// The layers in plan order.
    mutating func layers(of run: RunID, _ db: Database) throws -> [LayerPiece] {
        let rows = try Row.fetchCursor(
            db.cachedStatement(
                sql: """
                    SELECT layer, phase, failure_class, observed, count(*), min(position), max(position)
                    FROM placement_overviews WHERE run = ? GROUP BY layer, phase, failure_class, observed
                    """), arguments: [run.rawValue])
        var pieces: [LayerName: LayerPiece] = [:]
        while let row = try rows.next() {
            let tally = PlacementTally(
                layer: LayerName(row[0] as String), phase: row[1], failureClass: row[2],
                observed: try decoded(row[3]), count: row[4])
            let (first, last) = (row[5] as Int, row[6] as Int)
            var piece = pieces[tally.layer] ?? LayerPiece(positions: first...last, tallies: [])
            piece.positions = min(first, piece.positions.lowerBound)...max(last, piece.positions.upperBound)
            piece.tallies.append(tally)
            pieces[tally.layer] = piece
        }
        return pieces.values.sorted { $0.positions.lowerBound < $1.positions.lowerBound }
    }

    /// - Parameter limit: reads at most this many placements, and only pressing ones; nil reads all.
    mutating func placements(
        of run: RunID, in layer: LayerPiece, pressing limit: Int?, _ db: Database
    ) throws -> [PlacementOverview] {
        let rows = try Row.fetchCursor(
            db.cachedStatement(
                sql: """
                    SELECT \(Database.overviewColumns) FROM placement_overviews
                    WHERE run = ? AND position BETWEEN ? AND ? AND is_pressing >= ? ORDER BY position LIMIT ?
                    """),
            arguments: [
                run.rawValue, layer.positions.lowerBound, layer.positions.upperBound, limit == nil ? 0 : 1,
                limit ?? -1,
            ])
        var placements: [PlacementOverview] = []
        while let row = try rows.next() { placements.append(try placement(row)) }
        return placements
    }

    /// A row of ``Database/overviewColumns``, read by position because thousands may be shown at once.
    private mutating func placement(_ row: Row) throws -> PlacementOverview {
        PlacementOverview(
            position: row[0],
            placement: Placement(host: HostName(row[1] as String), layer: LayerName(row[2] as String)),
            batch: row[3], phase: row[4], failureClass: row[5], isPressing: row[6],
            phaseSince: WallTime(clamping: row[7]), attempt: row[8], isTouched: row[9], recorded: row[10],
            recordedSince: WallTime(clamping: row[11]), observed: try decoded(row[12]),
            observedAt: (row[13] as Int64?).map(WallTime.init(clamping:)), isRepairedByHand: row[14],
            isAdopted: row[15])
    }

    private mutating func decoded(_ text: String) throws -> [ComponentName: Version] {
        if let known = versions[text] { return known }
        let decoded = try CanonicalJSON.stored([ComponentName: Version].self, from: Array(text.utf8))
        versions[text] = decoded
        return decoded
    }
}

extension Database {
    fileprivate static let overviewColumns = """
        position, host, layer, batch, phase, failure_class, is_pressing, phase_since_milliseconds, attempt, is_touched,
        recorded, recorded_since_milliseconds, observed, observed_at_milliseconds, is_repaired_by_hand, is_adopted
        """

    func placementOverviews(of run: RunID) throws -> [PlacementOverview] {
        var reader = OverviewReader()
        return try reader.layers(of: run, self).flatMap {
            try reader.placements(of: run, in: $0, pressing: nil, self)
        }
    }

    /// The stored overview document of the whole run, if it belongs to this event and this build.
    func overviewDocument(of run: RunID, at sequence: UInt64, build: String) throws -> [UInt8]? {
        let row = try Row.fetchOne(
            cachedStatement(sql: "SELECT sequence, build, document FROM run_overviews WHERE run = ?"),
            arguments: [run.rawValue])
        guard let row, row.unsigned("sequence") == sequence, row["build"] == build else { return nil }
        return row.bytes("document")
    }

    func forgetOverview(of run: RunID) throws {
        for table in ["run_overviews", "placement_overviews"] {
            try execute(sql: "DELETE FROM \(table) WHERE run = ?", arguments: [run.rawValue])
        }
    }

    /// Updates the overview of a run from one event to another, in the transaction that records the events.
    func keepOverview(
        of run: RunID, from before: UInt64, to after: UInt64, _ recorded: [RecordedEvent],
        by follower: any RunFollower
    ) throws {
        var follower = follower
        for event in recorded { follower.take(event) }
        let isKept =
            try Bool.fetchOne(
                cachedStatement(sql: "SELECT sequence = ? AND build = ? FROM run_overviews WHERE run = ?"),
                arguments: [Int64(before), follower.build, run.rawValue]) ?? false
        if !isKept { try forgetOverview(of: run) }
        let change = try follower.change(whole: !isKept)
        if let document = change.document {
            try cachedStatement(
                sql: """
                    INSERT INTO run_overviews (run, sequence, build, document) VALUES (?, ?, ?, ?)
                    ON CONFLICT (run) DO UPDATE SET sequence = excluded.sequence, build = excluded.build,
                        document = excluded.document
                    """
            ).execute(arguments: [run.rawValue, Int64(after), follower.build, document.data])
        } else {
            try cachedStatement(sql: "UPDATE run_overviews SET sequence = ? WHERE run = ?")
                .execute(arguments: [Int64(after), run.rawValue])
        }
        let insert = try cachedStatement(
            sql: """
                INSERT OR REPLACE INTO placement_overviews (run, \(Database.overviewColumns))
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        for own in change.placements {
            try insert.execute(arguments: [
                run.rawValue, own.position, own.placement.host.rawValue, own.placement.layer.rawValue, own.batch,
                own.phase, own.failureClass, own.isPressing, own.phaseSince.milliseconds, own.attempt, own.isTouched,
                own.recorded, own.recordedSince.milliseconds,
                String(decoding: try CanonicalJSON.encode(own.observed), as: UTF8.self),
                own.observedAt?.milliseconds, own.isRepairedByHand, own.isAdopted,
            ])
        }
    }
}
