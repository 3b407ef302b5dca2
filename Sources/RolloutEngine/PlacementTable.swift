public import UpgradeDomain

/// The state of every placement of a run. Knows which of them wait and which are under way without asking each.
public struct PlacementTable: Hashable, Sendable {
    public private(set) var all: [Placement: PlacementState]
    private(set) var waiting: PlacementSet
    /// Checked, changing, warming up or soaking.
    private(set) var underWay: PlacementSet
    /// What the last event changed, or may have; a placement can be here more than once.
    public private(set) var changed: [Placement]

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
    public internal(set) subscript(placement: Placement) -> PlacementState? {
        get { all[placement] }
        _modify {
            let before = all[placement]?.phase.progress
            yield &all[placement]
            changed.append(placement)
            let after = all[placement]?.phase.progress
            if before != after { move(placement, to: after) }
        }
    }

    private mutating func move(_ placement: Placement, to progress: Progress?) {
        waiting.remove(placement)
        underWay.remove(placement)
        switch progress {
        case .waiting: waiting.insert(placement)
        case .underWay: underWay.insert(placement)
        case .over, nil: break
        }
    }
}

/// What a phase means to the batch that its placement belongs to.
private enum Progress {
    case waiting, underWay, over
}

extension PlacementPhase {
    fileprivate var progress: Progress {
        switch self {
        case .waiting: .waiting
        case .checked, .changing, .warmingUp, .soaking: .underWay
        case .soaked, .failed, .rollbackPending, .rollingBack, .provingRollback, .rolledBack, .retired: .over
        }
    }
}
