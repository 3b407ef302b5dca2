package import UpgradeDomain

/// The state of every placement of a run. Knows which of them wait and which are under way without asking each.
package struct PlacementTable: Hashable, Sendable {
    package private(set) var all: [Placement: PlacementState]
    private(set) var waiting: PlacementSet
    /// Checked, changing, warming up or soaking.
    private(set) var underWay: PlacementSet
    /// What the last event changed, or may have; a placement can be here more than once.
    package private(set) var changed: [Placement]

    /// All placements wait, in the state that `initial` gives them.
    init(_ order: PlacementOrder, initial: (Placement) -> PlacementState) {
        all = Dictionary(order.placements.map { ($0, initial($0)) }) { first, _ in first }
        waiting = PlacementSet(of: order) { _ in true }
        underWay = PlacementSet(of: order) { _ in false }
        changed = order.placements
    }

    /// What changes from here on is the next event's doing.
    mutating func beginEvent() { changed.removeAll(keepingCapacity: true) }

    /// nil where the placement takes no part in the run.
    package internal(set) subscript(placement: Placement) -> PlacementState? {
        get { all[placement] }
        _modify {
            let before = progress(of: placement)
            yield &all[placement]
            changed.append(placement)
            let after = progress(of: placement)
            if before != after { move(placement, to: after) }
        }
    }

    /// What its phase means to the batch that it belongs to.
    private func progress(of placement: Placement) -> PhaseTraits {
        all[placement]?.phase.traits.intersection([.waiting, .underWay]) ?? []
    }

    private mutating func move(_ placement: Placement, to progress: PhaseTraits) {
        waiting.remove(placement)
        underWay.remove(placement)
        if progress.contains(.waiting) { waiting.insert(placement) }
        if progress.contains(.underWay) { underWay.insert(placement) }
    }
}
