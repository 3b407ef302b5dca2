import BitCollections
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

/// Every placement of a run in plan order, and the position of each. Shared by all collections of placements.
final class PlacementOrder: Hashable, Sendable {
    let placements: [Placement]
    private let positions: [Placement: Int]
    /// The number of each placement's batch in its layer, from 0.
    private let batches: [Int]

    /// - Parameter batches: the batches of each layer, in order.
    init(_ batches: [[Batch]]) {
        placements = batches.joined().flatMap(\.placements)
        positions = Dictionary(zip(placements, placements.indices)) { first, _ in first }
        self.batches = batches.joined().flatMap { batch in batch.placements.map { _ in batch.index } }
    }

    func batch(at position: Int) -> Int { batches[position] }

    func position(of placement: Placement) -> Int? { positions[placement] }

    static func == (left: PlacementOrder, right: PlacementOrder) -> Bool {
        left === right || left.placements == right.placements
    }

    func hash(into hasher: inout Hasher) { hasher.combine(placements.count) }
}

/// Some placements of a run, in plan order. The first members are found without scanning everything before them, so
/// that the cost of a decision depends on the decision and not on the size of the fleet.
package struct PlacementSet: Hashable, Sendable, Sequence {
    private let order: PlacementOrder
    /// In the plan's order.
    private var positions: BitSet.Counted

    /// The placements of the run that satisfy `isMember`.
    init(of order: PlacementOrder, where isMember: (Placement) -> Bool) {
        self.order = order
        positions = BitSet.Counted(order.placements.indices.filter { isMember(order.placements[$0]) })
    }

    package var count: Int { positions.count }
    package var isEmpty: Bool { positions.isEmpty }

    package func contains(_ placement: Placement) -> Bool {
        order.position(of: placement).map(positions.contains) ?? false
    }

    /// Adds a placement of the run. Any other placement is ignored.
    mutating func insert(_ placement: Placement) {
        if let position = order.position(of: placement) { positions.insert(position) }
    }

    mutating func remove(_ placement: Placement) {
        if let position = order.position(of: placement) { positions.remove(position) }
    }

    package func makeIterator() -> Iterator { Iterator(positions: positions.makeIterator(), order: order) }

    /// The first members that belong to a batch. Each batch is one contiguous range of the order, because the order is
    /// built from the batches.
    func members(of batch: Batch, atMost limit: Int = .max) -> [Placement] {
        let start = batch.placements.first.flatMap(order.position) ?? 0
        return positions[members: start..<start + batch.placements.count].prefix(limit).map { order.placements[$0] }
    }

    package struct Iterator: IteratorProtocol {
        fileprivate var positions: BitSet.Counted.Iterator
        fileprivate let order: PlacementOrder

        package mutating func next() -> Placement? { positions.next().map { order.placements[$0] } }
    }
}

/// What a stage is still waiting for: placements, and then layer and fleet evidence.
package struct PendingSubjects: Hashable, Sendable, Sequence {
    var placements: PlacementSet
    /// Layers and the fleet.
    var scopes: Set<EvidenceSubject> = []

    package var count: Int { placements.count + scopes.count }
    package var isEmpty: Bool { count == 0 }

    package func contains(_ subject: EvidenceSubject) -> Bool {
        switch subject {
        case .placement(let placement): placements.contains(placement)
        case .layer, .fleet: scopes.contains(subject)
        }
    }

    mutating func remove(_ subject: EvidenceSubject) {
        switch subject {
        case .placement(let placement): placements.remove(placement)
        case .layer, .fleet: scopes.remove(subject)
        }
    }

    package func makeIterator() -> Iterator {
        Iterator(placements: placements.makeIterator(), scopes: scopes.sortedForDisplay.makeIterator())
    }

    package struct Iterator: IteratorProtocol {
        fileprivate var placements: PlacementSet.Iterator
        fileprivate var scopes: [EvidenceSubject].Iterator

        package mutating func next() -> EvidenceSubject? {
            placements.next().map(EvidenceSubject.placement) ?? scopes.next()
        }
    }
}
