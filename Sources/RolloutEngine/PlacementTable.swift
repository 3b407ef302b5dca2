package import UpgradeDomain

/// The state of every placement of a run. It finds the placements that wait or are under way without checking each one.
package struct PlacementTable: Hashable, Sendable {
    package private(set) var all: [Placement: PlacementState]
    private(set) var waiting: PlacementSet
    /// Checked, changing, warming up or soaking.
    private(set) var underWay: PlacementSet
    /// The placements that the last event changed, or may have changed. A placement may be listed more than once.
    package private(set) var changed: [Placement]

    /// All placements start as waiting, in the state that `initial` gives them.
    init(_ order: PlacementOrder, initial: (Placement) -> PlacementState) {
        all = Dictionary(order.placements.map { ($0, initial($0)) }) { first, _ in first }
        waiting = PlacementSet(of: order) { _ in true }
        underWay = PlacementSet(of: order) { _ in false }
        changed = order.placements
    }

    /// Changes from here on belong to the next event.
    mutating func beginEvent() { changed.removeAll(keepingCapacity: true) }

    /// nil if the placement takes no part in the run.
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

    /// The traits of its phase that matter to its batch.
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
