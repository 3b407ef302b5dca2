import SafeText
import UpgradeDomain

/// Judges captures by rules 1. Pure: everything it needs is passed in.
struct Judgement {
    let plan: Plan
    /// The layer of a placement; nil for layer and fleet evidence.
    let layer: PlanLayer?
    let host: HostName?
    let wall: WallTime

    /// Whether to include findings that pass, for views. The gate does not need them.
    var includesWhatPasses = false

    init(plan: Plan, subject: EvidenceSubject, wall: WallTime) {
        if case .placement(let placement) = subject {
            (layer, host) = (plan.layer(placement.layer), placement.host)
        } else {
            (layer, host) = (nil, nil)
        }
        self.plan = plan
        self.wall = wall
    }

    enum Expectation { case source, target }

    /// Whether a first capture can be used as a baseline.
    func baseline(_ capture: Capture, allowsTarget: Bool) -> Verdict {
        verdict(baselineFindings(capture, allowsTarget: allowsTarget), of: capture)
    }

    /// Whether nothing has moved since the last accepted capture.
    func drift(
        _ capture: Capture, since accepted: Capture, expects: Expectation, expected: [ItemReference]
    ) -> Verdict {
        let verdict = compare(capture, with: accepted, expects: expects, expected: expected)
        switch verdict {
        case .pass, .adopt: return .pass
        case .inconclusive: return verdict
        case .fail(let found):
            return .fail(
                Problem(
                    .baselineDrift, "changed since its last accepted capture: \(found.detail)", item: found.item))
        }
    }

    /// Whether a changed (or rolled back) placement is as it should be, compared with the earlier capture.
    ///
    /// - Parameters:
    ///   - changedAt: the host's time when its change began. Processes that the change replaces must have started later.
    ///   - firstLook: the values of the first look after the change, of measures that are compared with it.
    func compare(
        _ capture: Capture, with reference: Capture, expects: Expectation, expected: [ItemReference],
        changedAt: WallTime? = nil, firstLook: [ItemReference: String] = [:]
    ) -> Verdict {
        verdict(
            findings(
                capture, with: reference, expects: expects, expected: expected, changedAt: changedAt,
                firstLook: firstLook), of: capture)
    }

    /// The first finding that does not pass decides.
    private func verdict(_ findings: [Finding], of capture: Capture) -> Verdict {
        if capture.surfaces.isEmpty { return .inconclusive(Problem(.evidenceUnknown, "no surface was captured")) }
        return findings.lazy.compactMap(\.verdict).first ?? .pass
    }

    // MARK: Findings, in the order in which they decide

    /// The result of one rule for one item.
    struct Finding {
        var item: ItemDelta
        /// What it should be, if that is known.
        var expected: String?
        /// Nil if it passes.
        var verdict: Verdict?

        init(_ item: ItemDelta, expected: String? = nil, _ verdict: Verdict? = nil) {
            self.item = item
            self.expected = expected
            self.verdict = verdict
        }
    }

    func baselineFindings(_ capture: Capture, allowsTarget: Bool) -> [Finding] {
        let isSource = versionFindings(capture, nil, expects: .source, mismatch: .sourceVersionMismatch)
            .allSatisfy { $0.verdict == nil }
        let isTarget = versionFindings(capture, nil, expects: .target, mismatch: .versionMismatch)
            .allSatisfy { $0.verdict == nil }
        let isAdopted = !isSource && allowsTarget && isTarget
        return unknownSurfaces(capture, as: .baselineIncomplete, roles: Set(SurfaceRole.allCases))
            + contradictions(capture)
            + versionFindings(
                capture, nil, expects: isAdopted ? .target : .source, mismatch: .sourceVersionMismatch)
            + materializationFindings(capture, reference: nil)
            + runtimeFindings(capture, nil, expects: isSource ? .source : .target, changedAt: nil)
            + pathFindings(capture, deltas: [])
            + healthFindings(capture)
    }

    func findings(
        _ capture: Capture, with reference: Capture, expects: Expectation, expected: [ItemReference],
        changedAt: WallTime?, firstLook: [ItemReference: String] = [:]
    ) -> [Finding] {
        let deltas = EvidenceComparison.deltas(
            before: reference, after: capture, expects: expected, measures: plan.measures(in: layer),
            firstLook: firstLook)
        return unknownSurfaces(capture, as: .evidenceUnknown, roles: [.version, .runtime, .materialization])
            + instrumentFindings(capture, reference: reference, expected: expected)
            + versionFindings(capture, reference, expects: expects, mismatch: .versionMismatch)
            + materializationFindings(capture, reference: reference)
            + runtimeFindings(capture, reference, expects: expects, changedAt: changedAt)
            + contradictions(capture)
            + deltas.compactMap { finding(of: $0, in: capture) }
            + pathFindings(capture, deltas: deltas)
    }

    // MARK: Single rules

    private func unknownSurfaces(_ capture: Capture, as code: HoldCode, roles: Set<SurfaceRole>) -> [Finding] {
        capture.surfaces.compactMap { reading in
            guard roles.contains(reading.role), let reason = unknown(reading) else { return nil }
            let delta = ItemDelta(
                surface: reading.name, item: "", before: nil, after: reason.detail, verdict: .unknown)
            let code = reason.code == .stale ? .evidenceStale : code
            return Finding(
                delta, .inconclusive(Problem(code, "\(reading.name): \(reason.detail)", item: delta)))
        }
    }

    /// Why a reading cannot be used. A reading without items never counts as an answer.
    private func unknown(_ reading: SurfaceReading) -> UnknownReason? {
        reading.unknown ?? (reading.items.isEmpty ? UnknownReason(.noItems, "it holds no item") : nil)
    }

    /// Two items that the plan declares to agree, and that do not: neither is trusted.
    private func contradictions(_ capture: Capture) -> [Finding] {
        plan.agreements.compactMap { agreement in
            guard let one = capture.item(agreement.one), let other = capture.item(agreement.other),
                one.health != other.health
            else { return nil }
            let delta = ItemDelta(
                surface: agreement.other.surface, item: agreement.other.item, before: nil, after: other.value,
                verdict: .unknown)
            let detail = "\(agreement.one) is \(one.health.rawValue) and \(agreement.other) is \(other.health.rawValue)"
            return Finding(delta, .inconclusive(Problem(.evidenceContradictory, detail, item: delta)))
        }
    }

    private func versionFindings(
        _ capture: Capture, _ reference: Capture?, expects: Expectation, mismatch: HoldCode
    ) -> [Finding] {
        (layer?.components ?? []).compactMap { component in
            let wanted = expects == .source ? component.version.from : component.version.to
            let name = component.versionSurface
            func version(in capture: Capture?) -> String? {
                capture?.surface(name)?.items.first { $0.key == component.name.rawValue }?.value
            }
            let seen = version(in: capture)
            if seen == wanted.rawValue, !includesWhatPasses { return nil }
            let before = version(in: reference)
            var delta = ItemDelta(
                surface: name, item: component.name.rawValue, before: before, after: seen, verdict: .same)
            if seen == wanted.rawValue {
                if before != seen { delta.verdict = before == nil ? .added : .changedAsExpected }
                return Finding(delta, expected: wanted.rawValue)
            }
            // In the recorded item, the wanted version is stored as the value before.
            delta.verdict = .changed
            var recorded = delta
            recorded.before = wanted.rawValue
            let detail = "\(component.name) runs \(seen ?? "an unknown version"), not \(wanted)"
            return Finding(delta, expected: wanted.rawValue, .fail(Problem(mismatch, detail, item: recorded)))
        }
    }

    /// Whether the running release is the approved one, link by link.
    private func runtimeFindings(
        _ capture: Capture, _ reference: Capture?, expects: Expectation, changedAt: WallTime?
    ) -> [Finding] {
        (layer?.components ?? []).flatMap { component -> [Finding] in
            guard let proof = component.runtime else { return [] }
            let name = component.runtimeSurface
            let version = expects == .source ? component.version.from : component.version.to
            func items(of capture: Capture?) -> [String: EvidenceItem] {
                Dictionary((capture?.surface(name)?.items ?? []).map { ($0.key, $0) }) { first, _ in first }
            }
            let before = includesWhatPasses ? items(of: reference) : [:]
            let now = items(of: capture)
            return proof.source.links.compactMap { link in
                let item = now[link.description]
                let finding = RuntimeFinding(
                    of: item, link, approved: proof.approved[version], notBefore: proof.restarts ? changedAt : nil)
                if finding == .holds, !includesWhatPasses { return nil }
                return self.finding(
                    finding, of: link, at: "\(component.name) \(version), \(link)",
                    ItemDelta(
                        surface: name, item: link.description, before: before[link.description]?.value,
                        after: item?.value, verdict: .regressed))
            }
        }
    }

    private func finding(
        _ finding: RuntimeFinding, of link: RuntimeLink, at place: String, _ delta: ItemDelta
    ) -> Finding {
        var (shown, recorded) = (delta, delta)
        recorded.before = nil
        switch finding {
        case .holds:
            // A process or a port differs after every start. Only items that are approved by value count as changed.
            let isChange = link.isApprovedByValue && shown.before != shown.after
            shown.verdict = shown.before == nil ? .added : isChange ? .changedAsExpected : .same
            return Finding(shown)
        case .differs(let words):
            return Finding(shown, .fail(Problem(.runtimeMismatch, "\(place): \(words)", item: recorded)))
        case .unknown(let words):
            (shown.verdict, recorded.verdict) = (.unknown, .unknown)
            return Finding(shown, .inconclusive(Problem(.evidenceUnknown, "\(place): \(words)", item: recorded)))
        }
    }

    private func materializationFindings(_ capture: Capture, reference: Capture?) -> [Finding] {
        capture.surfaces.filter { $0.role == .materialization }.flatMap { reading in
            reading.items.compactMap { item in
                if item.health == .healthy, !includesWhatPasses { return nil }
                var delta = ItemDelta(
                    surface: reading.name, item: item.key,
                    before: reference?.surface(reading.name)?.items.first?.value, after: item.value, verdict: .same)
                guard item.health != .healthy else { return Finding(delta, expected: "0") }
                delta.verdict = .regressed
                let detail =
                    "the materialization check exited \(item.value): repo truth and runtime truth differ"
                return Finding(delta, expected: "0", .fail(Problem(.materializationFailed, detail, item: delta)))
            }
        }
    }

    private func instrumentFindings(
        _ capture: Capture, reference: Capture, expected: [ItemReference]
    ) -> [Finding] {
        capture.surfaces.compactMap { reading in
            guard let now = reading.instrumentDigest, let before = reference.surface(reading.name)?.instrumentDigest,
                now != before
            else { return nil }
            var delta = ItemDelta(
                surface: reading.name, item: "instrument", before: before.short, after: now.short, verdict: .changed)
            if expected.contains(ItemReference(surface: reading.name, item: "instrument")) {
                guard includesWhatPasses else { return nil }
                delta.verdict = .changedAsExpected
                return Finding(delta)
            }
            let detail = "the script behind \(reading.name) is not the one the baseline used"
            return Finding(delta, .inconclusive(Problem(.instrumentChanged, detail, item: delta)))
        }
    }

    /// - Parameter deltas: they hold the path's earlier values.
    private func pathFindings(_ capture: Capture, deltas: [ItemDelta]) -> [Finding] {
        capture.surfaces.filter { $0.role == .path }.flatMap { reading -> [Finding] in
            if let reason = unknown(reading) {
                let delta = ItemDelta(
                    surface: reading.name, item: "", before: nil, after: reason.detail, verdict: .unknown)
                return [Finding(delta, .fail(Problem(.pathFailed, "\(reading.name): \(reason.detail)")))]
            }
            return reading.items.compactMap { item in
                if item.health == .healthy, !includesWhatPasses { return nil }
                let known = deltas.first { $0.surface == reading.name && $0.item == item.key }
                var delta =
                    known
                    ?? ItemDelta(
                        surface: reading.name, item: item.key, before: nil, after: item.value, verdict: .added)
                guard item.health != .healthy else { return Finding(delta) }
                var recorded = delta
                (recorded.before, recorded.after) = (nil, item.value)
                (delta.verdict, recorded.verdict) = (.regressed, .regressed)
                return Finding(
                    delta, .fail(Problem(.pathFailed, "\(reading.name): \(item.key) is \(item.value)", item: recorded)))
            }
        }
    }

    /// The health of a first capture, which has nothing to compare with.
    private func healthFindings(_ capture: Capture) -> [Finding] {
        capture.surfaces.filter { $0.role == .family }.flatMap { reading in
            reading.items.compactMap { item in
                if item.health == .healthy, !includesWhatPasses { return nil }
                var delta = ItemDelta(
                    surface: reading.name, item: item.key, before: nil, after: item.value, verdict: .added)
                if item.health == .healthy { return Finding(delta) }
                delta.verdict = item.health == .unknown ? .unknown : .stillUnhealthy
                if isWaived(reading.name, item.key) { return Finding(delta) }
                let detail = "\(reading.name) reports \(item.key) as \(item.value) before any change"
                return Finding(
                    delta,
                    item.health == .unknown
                        ? .inconclusive(Problem(.baselineIncomplete, detail, item: delta))
                        : .fail(Problem(.baselineUnhealthy, detail, item: delta)))
            }
        }
    }

    /// Nil if a separate rule judges it.
    private func finding(of delta: ItemDelta, in capture: Capture) -> Finding? {
        let role = capture.surface(delta.surface)?.role
        if role == .path || role == .runtime { return nil }
        switch delta.verdict {
        case .same, .changedAsExpected, .recovered, .added: return includesWhatPasses ? Finding(delta) : nil
        case .stillUnhealthy, .regressed, .changed, .missing, .unknown: break
        }
        let change = "\(delta.surface) \(delta.item): \(delta.before ?? "(none)") -> \(delta.after ?? "(gone)")"
        switch delta.verdict {
        case .same, .changedAsExpected, .recovered, .added: return Finding(delta)
        case .stillUnhealthy:
            return isWaived(delta.surface, delta.item)
                ? Finding(delta) : Finding(delta, .fail(Problem(.evidenceRegressed, change, item: delta)))
        case .regressed, .changed:
            return Finding(delta, .fail(Problem(.evidenceRegressed, change, item: delta)))
        case .missing: return Finding(delta, .fail(Problem(.evidenceMissing, change, item: delta)))
        case .unknown:
            let stale = capture.surface(delta.surface)?.unknown?.code == .stale
            return Finding(
                delta, .inconclusive(Problem(stale ? .evidenceStale : .evidenceUnknown, change, item: delta)))
        }
    }

    private func isWaived(_ surface: SurfaceName, _ item: String) -> Bool {
        plan.waivers.contains {
            $0.surface == surface && $0.item == item && ($0.host == nil || $0.host == host)
                && $0.expiresAtMilliseconds > wall.milliseconds
        }
    }
}

/// What a capture of a placement was compared with when it was recorded. Later views of the capture use the same
/// comparison.
struct JudgedBy: Hashable, Sendable {
    /// Nil for a first capture, which is not compared with anything.
    var reference: Capture?
    var expects: Judgement.Expectation
    var expected: [ItemReference] = []
    var changedAt: WallTime?
    /// The values of the first look after the change, of measures that are compared with it.
    var firstLook: [ItemReference: String] = [:]
    /// When it was recorded; decides which waivers were valid.
    var wall: WallTime
}

extension RuntimeLink {
    /// Whether the plan states the value it must have.
    var isApprovedByValue: Bool {
        switch self {
        case .manifest, .commit, .image: true
        case .started, .worktree, .files, .process, .program, .mappings, .port, .container, .unit: false
        }
    }
}

/// The result for one link of a runtime proof, compared with what was approved.
enum RuntimeFinding: Hashable {
    case holds
    case differs(String)
    /// The link could not be inspected, or nothing states what it should be.
    case unknown(String)

    /// How far a host's clock may have been set back between the change and its proof.
    static let clockSlackMilliseconds: Int64 = 1_000

    init(of item: EvidenceItem?, _ link: RuntimeLink, approved: ApprovedRelease?, notBefore: WallTime?) {
        guard let item else {
            self = .unknown("it was not looked at")
            return
        }
        switch item.health {
        case .unknown: self = .unknown(item.value)
        case .unhealthy: self = .differs(item.value)
        case .healthy:
            switch link {
            case .manifest: self.init(item.value, is: approved?.manifest?.rawValue)
            case .commit: self.init(item.value, is: approved?.commit)
            case .image: self.init(item.value, is: approved?.image)
            case .started: self.init(begun: item.value, notBefore: notBefore)
            case .worktree, .files, .process, .program, .mappings, .port, .container, .unit: self = .holds
            }
        }
    }

    /// An image has several names; one of them must be the approved one.
    private init(_ seen: String, is approved: String?) {
        guard let approved else {
            self = .unknown("the plan does not say what it should be")
            return
        }
        let isApproved = seen.pieces(separatedBy: ", ").contains { !$0.isEmpty && $0 == approved }
        self = isApproved ? .holds : .differs("is \(seen), not \(approved)")
    }

    private init(begun text: String, notBefore: WallTime?) {
        guard let begun = WallTime(rfc3339: text) else {
            self = .unknown("'\(text)' is not a valid time")
            return
        }
        let slack = RuntimeFinding.clockSlackMilliseconds
        guard let notBefore, begun < notBefore.advanced(byMilliseconds: -slack) else {
            self = .holds
            return
        }
        self = .differs("it began \(text), before the change at \(notBefore.rfc3339)")
    }
}
