import ContentDigest
package import Ledger
package import RolloutEngine
package import UpgradeDomain

/// A run, for `status`: from the overview that the ledger stores, or from the state that the events fold into.
package struct RunReport: Hashable {
    /// In a layer with more placements than this, only those that failed or are in progress are listed, up to this
    /// number.
    package static let placementsPerLayer = 50

    /// A layer with its placements: all are counted, some are listed.
    package struct Layer: Hashable {
        package var name: LayerName
        package var version: VersionChange
        /// Within how many seconds a watched placement answers, unless something is wrong; nil if not stored.
        package var answersWithinSeconds: Int?
        /// Counts of placements in the same state.
        package var tallies: [PlacementTally]
        /// The listed placements.
        package var placements: [PlacementOverview]
        package var count: Int { tallies.reduce(0) { $0 + $1.count } }
    }

    package var overview: RunOverview
    package var sequence: UInt64
    package var chainHead: Digest
    package var layers: [Layer]

    /// - Parameter limit: how many placements of a layer are listed; nil lists all.
    package init(_ state: RolloutState, placementsPerLayer limit: Int? = nil) {
        let layers = state.batches.map { batches in
            batches.flatMap(\.placements).compactMap { PlacementOverview($0, in: state) }
        }
        self.init(
            RunOverview(state), sequence: state.sequence, chainHead: state.chainHead,
            tallies: layers.flatMap(\.tallies),
            placements: layers.flatMap { all in
                guard let limit, all.count > limit else { return all }
                return Array(all.lazy.filter(\.isPressing).prefix(limit))
            })
    }

    /// - Throws: if the document is not in this build's format.
    package init(_ stored: StoredOverview) throws {
        self.init(
            try CanonicalJSON.stored(RunOverview.self, from: stored.document), sequence: stored.headSequence,
            chainHead: stored.headHash, tallies: stored.tallies, placements: stored.placements)
    }

    private init(
        _ overview: RunOverview, sequence: UInt64, chainHead: Digest, tallies: [PlacementTally],
        placements: [PlacementOverview]
    ) {
        self.overview = overview
        self.sequence = sequence
        self.chainHead = chainHead
        let listed = Dictionary(grouping: placements, by: \.placement.layer)
        let alike = Dictionary(grouping: tallies, by: \.layer)
        layers = overview.layers.map { layer in
            Layer(
                name: layer.name, version: layer.version, answersWithinSeconds: layer.answersWithinSeconds,
                tallies: (alike[layer.name] ?? []).sorted { $0.order < $1.order },
                placements: listed[layer.name] ?? [])
        }
    }
}

extension [PlacementOverview] {
    fileprivate var tallies: [PlacementTally] {
        let alike = Dictionary(grouping: self) { own in
            PlacementTally(
                layer: own.placement.layer, phase: own.phase, failureClass: own.failureClass, observed: own.observed,
                count: 0)
        }
        return alike.map { tally, own in
            var tally = tally
            tally.count = own.count
            return tally
        }
    }
}

extension PlacementTally {
    /// Sorts by the order of phases, then by what distinguishes tallies of one phase.
    fileprivate var order: (Int, String, String) {
        let phase = PlacementPhase(word: phase).flatMap(PlacementPhase.all.firstIndex) ?? PlacementPhase.all.count
        return (phase, failureClass ?? "", observed.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined())
    }
}
