public import UpgradeDomain

/// A placement's last capture beside what it was judged by, item by item. Every view of it comes from here, and says what the gate
/// said.
public struct PlacementComparison: Hashable, Sendable {
    public var placement: Placement
    /// What it was compared with; nil where nothing was accepted yet.
    public var before: Capture?
    public var after: Capture
    /// In the order of the surfaces.
    public var items: [ComparedItem]

    /// What keeps it from passing.
    public var divergent: [ComparedItem] { items.filter(\.isDivergent) }
}

/// One item of a comparison: a version, a link of the runtime proof, a check's exit code, a service, the path.
public struct ComparedItem: Codable, Hashable, Sendable {
    public var surface: SurfaceName
    public var item: String
    public var before: String?
    public var after: String?
    /// What it should be now, where the plan says so.
    public var expected: String?
    public var verdict: DeltaVerdict
    /// Whether it keeps the placement from passing. An item may be unhealthy and waived, or changed and expected.
    public var isDivergent: Bool

    private enum CodingKeys: String, CodingKey {
        case surface, item, before, after, expected, verdict
        case isDivergent = "divergent"
    }

    init(_ finding: Judgement.Finding) {
        surface = finding.item.surface
        item = finding.item.item
        before = finding.item.before
        after = finding.item.after
        expected = finding.expected
        verdict = finding.item.verdict
        isDivergent = finding.verdict != nil
    }
}

extension RolloutState {
    /// What the last capture of a placement shows; nil where there is none.
    public func comparison(of placement: Placement) -> PlacementComparison? {
        guard let state = placements[placement], let after = state.latest else { return nil }
        var judge = judgement(of: .placement(placement), at: lastEventAt)
        judge.includesWhatPasses = true
        let standard = standard(of: placement, state)
        let findings =
            if let standard {
                judge.findings(
                    after, with: standard.before, expects: standard.expects, expected: standard.expected,
                    changedAt: standard.changedAt)
            } else {
                judge.baselineFindings(
                    after, allowsTarget: definition.succession?.baselines[.placement(placement)] != nil)
            }
        return PlacementComparison(
            placement: placement, before: standard?.before, after: after,
            items: [ComparedItem](findings, in: (after.surfaces + (standard?.before.surfaces ?? [])).map(\.name)))
    }

    private struct Standard {
        var before: Capture
        var expects: Judgement.Expectation
        var expected: [ItemReference]
        var changedAt: WallTime?
    }

    /// What a placement is judged by where it stands; nil before its baseline is accepted.
    private func standard(of placement: Placement, _ state: PlacementState) -> Standard? {
        switch state.phase {
        case .provingRollback, .rolledBack:
            return rollbackReference(for: placement).map {
                Standard(before: $0, expects: .source, expected: expectedChanges(at: placement, including: false))
            }
        case .waiting, .checked, .changing, .warmingUp, .soaking, .soaked, .failed, .rollbackPending, .rollingBack,
            .retired:
            if state.touched {
                return reference(for: placement).map {
                    Standard(
                        before: $0, expects: .target, expected: expectedChanges(at: placement, including: true),
                        changedAt: state.changedAt)
                }
            }
            // What was accepted last is what drift is judged by; once that is the last capture itself, the baseline says more.
            let last = accepted[.placement(placement)].flatMap { $0 == state.latest ? nil : $0 }
            return (last ?? reference(for: placement)).map {
                Standard(before: $0, expects: .source, expected: expectedChanges(at: placement, including: false))
            }
        }
    }
}

extension [ComparedItem] {
    /// Each item once, in the order of the surfaces. Of a surface that says nothing, that it does, and what diverges all the same.
    init(_ findings: [Judgement.Finding], in order: [SurfaceName]) {
        let places = Dictionary(order.enumerated().map { ($1, $0) }) { first, _ in first }
        let mute = Set(findings.filter { $0.item.item.isEmpty }.map(\.item.surface))
        var items: [ItemReference: ComparedItem] = [:]
        var sequence: [ItemReference] = []
        for finding in findings {
            let isSeen = finding.verdict != nil && finding.item.after != nil
            guard finding.item.item.isEmpty || isSeen || !mute.contains(finding.item.surface) else { continue }
            let key = ItemReference(surface: finding.item.surface, item: finding.item.item)
            let item = ComparedItem(finding)
            guard let known = items[key] else {
                items[key] = item
                sequence.append(key)
                continue
            }
            // What two rules say of one item is divergent where either says so.
            if item.isDivergent, !known.isDivergent { items[key] = item }
            if known.isDivergent, items[key]?.before == nil { items[key]?.before = item.before }
        }
        self = sequence.enumerated().sorted { one, other in
            let (own, others) = (
                places[one.element.surface] ?? order.count, places[other.element.surface] ?? order.count
            )
            return (own, one.offset) < (others, other.offset)
        }.compactMap { items[$0.element] }
    }
}
