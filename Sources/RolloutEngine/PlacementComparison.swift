package import UpgradeDomain

/// A placement's last capture next to the capture it was judged against, item by item. Every view of it uses this, so
/// every view agrees with the gate.
package struct PlacementComparison: Hashable, Sendable {
    package var placement: Placement
    /// What it was compared with; nil if nothing was accepted yet.
    package var before: Capture?
    package var after: Capture
    /// In the order of the surfaces.
    package var items: [ComparedItem]

    /// The items that keep it from passing.
    package var divergent: [ComparedItem] { items.filter(\.isDivergent) }
}

/// One item of a comparison: a version, a link of the runtime proof, a check's exit code, a service, or the path.
package struct ComparedItem: Codable, Hashable, Sendable {
    package var surface: SurfaceName
    package var item: String
    package var before: String?
    package var after: String?
    /// The value it should have now, if the plan states one.
    package var expected: String?
    package var verdict: DeltaVerdict
    /// Whether it keeps the placement from passing. An item may be unhealthy but waived, or changed as expected.
    package var isDivergent: Bool

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
    /// What the last capture of a placement shows; nil if there is none.
    package func comparison(of placement: Placement) -> PlacementComparison? {
        guard let after = placements[placement]?.latest, let judgedBy = placements[placement]?.judgedBy else {
            return nil
        }
        let findings = findings(after, placement, judgedBy)
        return PlacementComparison(
            placement: placement, before: judgedBy.reference, after: after,
            items: [ComparedItem](
                findings, in: (after.surfaces + (judgedBy.reference?.surfaces ?? [])).map(\.name)))
    }

    private func findings(_ capture: Capture, _ placement: Placement, _ judgedBy: JudgedBy) -> [Judgement.Finding] {
        var judge = judgement(of: .placement(placement), at: judgedBy.wall)
        judge.includesWhatPasses = true
        guard let reference = judgedBy.reference else {
            return judge.baselineFindings(capture, allowsTarget: judgedBy.expects == .target)
        }
        return judge.findings(
            capture, with: reference, expects: judgedBy.expects, expected: judgedBy.expected,
            changedAt: judgedBy.changedAt, firstLook: judgedBy.firstLook)
    }

    /// What a capture recorded now is judged by. The rules choose it from the capture's purpose.
    func judgedBy(_ record: CaptureRecord, of placement: Placement, at wall: WallTime) -> JudgedBy {
        let isTouched = placements[placement]?.touched == true
        var target: JudgedBy {
            JudgedBy(
                reference: reference(for: placement), expects: .target,
                expected: expectedChanges(at: placement, including: true), changedAt: placements[placement]?.changedAt,
                firstLook: record.purpose == .recheck ? [:] : placements[placement]?.firstLook ?? [:], wall: wall)
        }
        var source: JudgedBy {
            JudgedBy(
                reference: accepted[.placement(placement)] ?? reference(for: placement), expects: .source,
                expected: expectedChanges(at: placement, including: false), wall: wall)
        }
        var back: JudgedBy {
            JudgedBy(
                reference: rollbackReference(for: placement), expects: .source,
                expected: expectedChanges(at: placement, including: false), wall: wall)
        }
        switch record.purpose {
        case .baseline:
            let isInherited = definition.succession?.baselines[.placement(placement)] != nil
            return JudgedBy(expects: isInherited ? .target : .source, wall: wall)
        case .verification: return target
        case .rollbackVerification: return back
        case .rollbackProof:
            return JudgedBy(reference: baselines[.placement(placement)], expects: .source, wall: wall)
        case .recheck where placements[placement]?.phase.has(.wentBack) == true: return back
        case .drift, .recheck:
            if isTouched { return target }
            // A succeeding run may find changes that the previous run already made.
            let isAdoptable = definition.succession != nil && passes(record.capture, placement, target)
            return isAdoptable ? target : source
        case .boundary, .reproof, .postFailure, .beforeRollback: return isTouched ? target : source
        }
    }

    private func passes(_ capture: Capture, _ placement: Placement, _ judgedBy: JudgedBy) -> Bool {
        findings(capture, placement, judgedBy).allSatisfy { $0.verdict == nil }
    }
}

extension [ComparedItem] {
    /// Each item once, in the order of the surfaces. A surface without an answer gives one item that says so, plus any
    /// items that still diverge.
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
            // If two rules judge one item, it is divergent if either says so.
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
