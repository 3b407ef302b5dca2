import SafeText
import UpgradeDomain

// Rules 1: what captures of builds that recorded no verdict are judged by, on every reading. Frozen: a change here would change
// what happened. New rules come in a file of their own, with the next number. RulesTests notices most changes of a comparison.

extension RolloutState {
    /// What a capture shows that is waited for; nil where nothing is judged of it.
    ///
    /// - Parameter wall: decides which waivers still hold.
    func verdictByRules1(on record: CaptureRecord, at wall: WallTime) -> Verdict? {
        let (capture, subject) = (record.capture, record.capture.subject)
        switch (record.purpose, subject) {
        case (.postFailure, _), (.beforeRollback, _): return nil
        case (.baseline, _):
            let isInherited = definition.succession?.baselines[subject] != nil
            return judgement(of: subject, at: wall).baseline(capture, allowsTarget: isInherited)
        case (.drift, .placement(let placement)): return driftVerdict(capture, placement, wall)
        case (.verification, .placement(let placement)): return targetVerdict(capture, placement, wall)
        case (.boundary, .placement(let placement)), (.reproof, .placement(let placement)):
            return standingVerdict(capture, placement, wall)
        case (.boundary, .layer), (.boundary, .fleet):
            guard let reference = accepted[subject] else { return .noBaseline }
            return judgement(of: subject, at: wall)
                .compare(capture, with: reference, expects: .target, expected: plan.layers.flatMap(\.expects))
        case (.rollbackVerification, .placement(let placement)):
            return rollbackVerdict(capture, placement, wall)
        case (.rollbackProof, _): return rollbackProofVerdict(capture, wall)
        case (.recheck, .placement(let placement)): return recheckVerdict(capture, placement, wall)
        case (.drift, _), (.verification, _), (.rollbackVerification, _), (.recheck, _), (.reproof, _): return nil
        }
    }

    private func judgement(of subject: EvidenceSubject, at wall: WallTime) -> Judgement {
        Judgement(plan: plan, subject: subject, wall: wall)
    }

    /// Right before a change: as it was last accepted, or already at the target through the run before.
    private func driftVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        guard let accepted = accepted[capture.subject] else { return .noBaseline }
        let judge = judgement(of: capture.subject, at: wall)
        if definition.succession != nil, let reference = reference(for: placement),
            let layer = plan.layer(placement.layer),
            judge.compare(
                capture, with: reference, expects: .target,
                expected: layer.expects + expectedChanges(at: placement, including: true)) == .pass
        {
            return .adopt
        }
        return judge.drift(
            capture, since: accepted, expects: .source, expected: expectedChanges(at: placement, including: false))
    }

    /// A changed placement against its baseline, at the target.
    private func targetVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        guard let reference = reference(for: placement) else { return .noBaseline }
        return judgement(of: .placement(placement), at: wall)
            .compare(
                capture, with: reference, expects: .target, expected: expectedChanges(at: placement, including: true),
                changedAt: placements[placement]?.changedAt)
    }

    /// An untouched placement against its last accepted capture, at the source.
    private func sourceVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        guard let reference = accepted[.placement(placement)] ?? reference(for: placement) else { return .noBaseline }
        return judgement(of: .placement(placement), at: wall).drift(
            capture, since: reference, expects: .source, expected: expectedChanges(at: placement, including: false))
    }

    /// A placement where it stands, changed or not.
    private func standingVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        placements[placement]?.touched == true
            ? targetVerdict(capture, placement, wall) : sourceVerdict(capture, placement, wall)
    }

    private func rollbackVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        guard let reference = rollbackReference(for: placement) else {
            return .inconclusive(Problem(.baselineIncomplete, "there is no state before the change"))
        }
        return judgement(of: capture.subject, at: wall).compare(
            capture, with: reference, expects: .source, expected: expectedChanges(at: placement, including: false))
    }

    /// One host goes back to what it was right before its change; the whole run to the run's baseline.
    private func rollbackReference(for placement: Placement) -> Capture? {
        switch campaign?.scope {
        case .host, .layer: placements[placement]?.beforeChange ?? reference(for: placement)
        case .all, nil: reference(for: placement)
        }
    }

    private func rollbackProofVerdict(_ capture: Capture, _ wall: WallTime) -> Verdict {
        guard let reference = baselines[capture.subject] else { return .pass }
        let found = judgement(of: capture.subject, at: wall)
            .compare(capture, with: reference, expects: .source, expected: [])
        return found.problem.map { problem in
            let detail = "after everything went back: \(problem.detail)"
            return .fail(Problem(.rollbackUnverified, detail, item: problem.item))
        } ?? .pass
    }

    private func recheckVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        guard let state = placements[placement] else { return .noBaseline }
        if case .rolledBack = state.phase { return rollbackVerdict(capture, placement, wall) }
        let found = standingVerdict(capture, placement, wall)
        // A successor may meet what the run before it had already changed.
        let isAdoptable = definition.succession != nil && !state.touched && found != .pass
        return isAdoptable && targetVerdict(capture, placement, wall) == .pass ? .pass : found
    }

    /// What the comparison after a change is made with.
    private func reference(for placement: Placement) -> Capture? { baselines[.placement(placement)] }

    /// What changes elsewhere on its host are expected to alter there as well: the evidence of a host that stands in
    /// several layers shows them all.
    private func expectedChanges(at placement: Placement, including own: Bool) -> [ItemReference] {
        placements(of: placement.host).filter { other in
            other == placement ? own : placements[other]?.touched == true
        }.flatMap { plan.layer($0.layer)?.expects ?? [] }
    }
}

extension Verdict {
    fileprivate static let noBaseline = Verdict.inconclusive(
        Problem(.baselineIncomplete, "there is no baseline to compare with"))
}

/// Judges captures. Pure; everything it needs is passed in.
struct Judgement {
    let plan: Plan
    /// The layer of a placement; nil for what a layer or the fleet says.
    let layer: PlanLayer?
    let host: HostName?
    let wall: WallTime

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

    /// Whether a first capture is a baseline to compare with.
    func baseline(_ capture: Capture, allowsTarget: Bool) -> Verdict {
        if let problem = vacuity(capture) ?? unknownSurface(capture, as: .baselineIncomplete) ?? contradiction(capture)
        {
            return .inconclusive(problem)
        }
        if let problem = versionProblem(capture, expects: .source, mismatch: .sourceVersionMismatch) {
            let isAdopted = allowsTarget && versionProblem(capture, expects: .target, mismatch: .versionMismatch) == nil
            if !isAdopted { return .fail(problem) }
        }
        if let problem = materializationProblem(capture, reference: nil) { return .fail(problem) }
        let isSource = versionProblem(capture, expects: .source, mismatch: .sourceVersionMismatch) == nil
        let runtime = runtimeVerdict(capture, expects: isSource ? .source : .target, changedAt: nil)
        if runtime != .pass { return runtime }
        if let problem = pathProblem(capture) { return .fail(problem) }
        for reading in capture.surfaces where reading.role == .family {
            for item in reading.items where item.health != .healthy && !isWaived(reading.name, item.key) {
                let delta = ItemDelta(
                    surface: reading.name, item: item.key, before: nil, after: item.value,
                    verdict: item.health == .unknown ? .unknown : .stillUnhealthy)
                let detail = "\(reading.name) reports \(item.key) as \(item.value) before any change"
                return item.health == .unknown
                    ? .inconclusive(Problem(.baselineIncomplete, detail, item: delta))
                    : .fail(Problem(.baselineUnhealthy, detail, item: delta))
            }
        }
        return .pass
    }

    /// Whether nothing has moved since the last accepted capture.
    func drift(
        _ capture: Capture, since accepted: Capture, expects: Expectation, expected: [ItemReference]
    ) -> Verdict {
        let verdict = compare(capture, with: accepted, expects: expects, expected: expected)
        guard let found = verdict.problem else { return .pass }
        let unknown =
            switch verdict {
            case .inconclusive: true
            case .pass, .adopt, .fail: false
            }
        if unknown { return verdict }
        let problem = Problem(
            .baselineDrift, "changed since its last accepted capture: \(found.detail)", item: found.item)
        return .fail(problem)
    }

    /// Whether a changed (or rolled back) placement is what it should be, against the capture before.
    ///
    /// - Parameter changedAt: the host's time when its change began; processes that the change replaces must be younger.
    func compare(
        _ capture: Capture, with reference: Capture, expects: Expectation, expected: [ItemReference],
        changedAt: WallTime? = nil
    ) -> Verdict {
        if let problem = vacuity(capture) { return .inconclusive(problem) }
        let versionsOrInstruments =
            unknownSurface(capture, as: .evidenceUnknown, roles: [.version, .runtime, .materialization])
            ?? instrumentProblem(capture, reference: reference, expected: expected)
        if let problem = versionsOrInstruments { return .inconclusive(problem) }
        if let problem = versionProblem(capture, expects: expects, mismatch: .versionMismatch)
            ?? materializationProblem(capture, reference: reference)
        {
            return .fail(problem)
        }
        let runtime = runtimeVerdict(capture, expects: expects, changedAt: changedAt)
        if runtime != .pass { return runtime }
        if let problem = contradiction(capture) { return .inconclusive(problem) }
        let deltas = EvidenceComparison.deltas(
            before: reference, after: capture, expects: expected, measures: plan.measures)
        for delta in deltas {
            if let problem = problem(of: delta, in: capture) {
                return problem.code == .evidenceRegressed || problem.code == .evidenceMissing
                    ? .fail(problem) : .inconclusive(problem)
            }
        }
        return pathProblem(capture).map(Verdict.fail) ?? .pass
    }

    // MARK: Single rules

    private func vacuity(_ capture: Capture) -> Problem? {
        capture.surfaces.isEmpty ? Problem(.evidenceUnknown, "no surface was captured") : nil
    }

    private func unknownSurface(
        _ capture: Capture, as code: HoldCode,
        roles: Set<SurfaceRole> = [.version, .runtime, .materialization, .family, .path]
    ) -> Problem? {
        for reading in capture.surfaces where roles.contains(reading.role) {
            if let reason = unknown(reading) {
                let delta = ItemDelta(
                    surface: reading.name, item: "", before: nil, after: reason.detail, verdict: .unknown)
                return Problem(
                    reason.code == .stale ? .evidenceStale : code, "\(reading.name): \(reason.detail)", item: delta)
            }
        }
        return nil
    }

    /// Why a reading says nothing; one without items never counts as an answer.
    private func unknown(_ reading: SurfaceReading) -> UnknownReason? {
        reading.unknown ?? (reading.items.isEmpty ? UnknownReason(.noItems, "it holds no item") : nil)
    }

    /// Two items that the plan declares to tell the same, and that do not: neither is believed.
    private func contradiction(_ capture: Capture) -> Problem? {
        for agreement in plan.agreements {
            guard let one = capture.item(agreement.one), let other = capture.item(agreement.other) else { continue }
            guard one.health != other.health else { continue }
            let delta = ItemDelta(
                surface: agreement.other.surface, item: agreement.other.item, before: nil, after: other.value,
                verdict: .unknown)
            return Problem(
                .evidenceContradictory,
                "\(agreement.one) is \(one.health.rawValue) and \(agreement.other) is \(other.health.rawValue)",
                item: delta)
        }
        return nil
    }

    private func versionProblem(_ capture: Capture, expects: Expectation, mismatch: HoldCode) -> Problem? {
        guard let layer else { return nil }
        for component in layer.components {
            let wanted = expects == .source ? component.version.from : component.version.to
            let name = Judgement.versionSurface(component.name)
            let seen = capture.surface(name)?.items.first { $0.key == component.name.rawValue }?.value
            guard seen != wanted.rawValue else { continue }
            let delta = ItemDelta(
                surface: name, item: component.name.rawValue, before: wanted.rawValue, after: seen, verdict: .changed)
            return Problem(
                mismatch, "\(component.name) runs \(seen ?? "an unknown version"), not \(wanted)", item: delta)
        }
        return nil
    }

    /// Whether what runs is what was approved, link by link.
    private func runtimeVerdict(_ capture: Capture, expects: Expectation, changedAt: WallTime?) -> Verdict {
        for component in layer?.components ?? [] {
            guard let proof = component.runtime else { continue }
            let name = Judgement.runtimeSurface(component.name)
            let version = expects == .source ? component.version.from : component.version.to
            let items = Dictionary((capture.surface(name)?.items ?? []).map { ($0.key, $0) }) { first, _ in first }
            for link in proof.source.links {
                let item = items[link.description]
                let finding = RuntimeFinding(
                    of: item, link, approved: proof.approved[version], notBefore: proof.restarts ? changedAt : nil)
                var delta = ItemDelta(
                    surface: name, item: link.description, before: nil, after: item?.value, verdict: .regressed)
                let place = "\(component.name) \(version), \(link)"
                switch finding {
                case .holds: continue
                case .differs(let words): return .fail(Problem(.runtimeMismatch, "\(place): \(words)", item: delta))
                case .unknown(let words):
                    delta.verdict = .unknown
                    return .inconclusive(Problem(.evidenceUnknown, "\(place): \(words)", item: delta))
                }
            }
        }
        return .pass
    }

    private func materializationProblem(_ capture: Capture, reference: Capture?) -> Problem? {
        for reading in capture.surfaces where reading.role == .materialization {
            for item in reading.items where item.health != .healthy {
                let delta = ItemDelta(
                    surface: reading.name, item: item.key,
                    before: reference?.surface(reading.name)?.items.first?.value, after: item.value,
                    verdict: .regressed)
                return Problem(
                    .materializationFailed,
                    "the materialization check exited \(item.value): repo truth and runtime truth differ", item: delta)
            }
        }
        return nil
    }

    private func instrumentProblem(
        _ capture: Capture, reference: Capture, expected: [ItemReference]
    ) -> Problem? {
        for reading in capture.surfaces {
            guard let now = reading.instrumentDigest, let before = reference.surface(reading.name)?.instrumentDigest,
                now != before, !expected.contains(ItemReference(surface: reading.name, item: "instrument"))
            else { continue }
            let delta = ItemDelta(
                surface: reading.name, item: "instrument", before: before.short, after: now.short, verdict: .changed)
            return Problem(
                .instrumentChanged, "the script behind \(reading.name) is not the one the baseline used", item: delta)
        }
        return nil
    }

    private func pathProblem(_ capture: Capture) -> Problem? {
        for reading in capture.surfaces where reading.role == .path {
            if let reason = unknown(reading) { return Problem(.pathFailed, "\(reading.name): \(reason.detail)") }
            for item in reading.items where item.health != .healthy {
                let delta = ItemDelta(
                    surface: reading.name, item: item.key, before: nil, after: item.value, verdict: .regressed)
                return Problem(.pathFailed, "\(reading.name): \(item.key) is \(item.value)", item: delta)
            }
        }
        return nil
    }

    private func problem(of delta: ItemDelta, in capture: Capture) -> Problem? {
        let role = capture.surface(delta.surface)?.role
        let change = "\(delta.surface) \(delta.item): \(delta.before ?? "(none)") -> \(delta.after ?? "(gone)")"
        // Judged by rules of their own.
        if role == .path || role == .runtime { return nil }
        switch delta.verdict {
        case .same, .changedAsExpected, .recovered, .added: return nil
        case .stillUnhealthy:
            return isWaived(delta.surface, delta.item) ? nil : Problem(.evidenceRegressed, change, item: delta)
        case .regressed, .changed: return Problem(.evidenceRegressed, change, item: delta)
        case .missing: return Problem(.evidenceMissing, change, item: delta)
        case .unknown:
            let stale = capture.surface(delta.surface)?.unknown?.code == .stale
            return Problem(stale ? .evidenceStale : .evidenceUnknown, change, item: delta)
        }
    }

    private func isWaived(_ surface: SurfaceName, _ item: String) -> Bool {
        plan.waivers.contains {
            $0.surface == surface && $0.item == item && ($0.host == nil || $0.host == host)
                && $0.expiresAtMilliseconds > wall.milliseconds
        }
    }

    static func runtimeSurface(_ component: ComponentName) -> SurfaceName { SurfaceName("runtime:\(component)") }

    static func versionSurface(_ component: ComponentName) -> SurfaceName { SurfaceName("version:\(component)") }
}

/// What one link of a runtime proof says against what was approved.
enum RuntimeFinding: Hashable {
    case holds
    case differs(String)
    /// The link could not be looked at, or nothing says what it should be.
    case unknown(String)

    /// What a host's clock may have been set back by between the change and its proof.
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

    /// An image has several names; one of them has to be the approved one.
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
            self = .unknown("'\(text)' is no time")
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
