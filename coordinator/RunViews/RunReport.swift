import ContentDigest
package import Ledger
package import RolloutEngine
package import UpgradeDomain

/// A run as `status` shows it: from the overview that the ledger keeps, or from the state that the events fold into.
package struct RunReport: Hashable {
    /// Of a layer with more placements only those are listed that failed or are under way, and at most so many.
    package static let placementsPerLayer = 50

    /// A layer with its placements, counted and in part listed.
    package struct Layer: Hashable {
        package var name: LayerName
        package var version: VersionChange
        /// Within which a placement that is watched answers, unless something is wrong; nil where that was not kept.
        package var answersWithinSeconds: Int?
        /// How many placements are alike.
        package var tallies: [PlacementTally]
        /// Those that are listed.
        package var placements: [PlacementOverview]
        package var count: Int { tallies.reduce(0) { $0 + $1.count } }
    }

    package var overview: RunOverview
    package var sequence: UInt64
    package var chainHead: Digest
    package var layers: [Layer]

    /// - Parameter limit: of the placements that are listed in a layer; nil lists all.
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

    /// - Throws: where the document is not what this build writes.
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
    /// The way of a placement through a run, then what tells tallies of one phase apart.
    fileprivate var order: (Int, String, String) {
        let phase = PlacementPhase(word: phase).flatMap(PlacementPhase.all.firstIndex) ?? PlacementPhase.all.count
        return (phase, failureClass ?? "", observed.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined())
    }
}
