import UpgradeDomain

/// The verdict over one capture: pass, fail or inconclusive. Inconclusive never passes.
enum GateVerdict: Hashable, Sendable {
    case pass
    case fail(Problem)
    case inconclusive(Problem)

    var problem: Problem? {
        switch self {
        case .pass: nil
        case .fail(let problem), .inconclusive(let problem): problem
        }
    }
}

/// Judges captures. Pure; everything it needs is passed in.
struct Judgement {
    let plan: Plan
    /// The layer of a placement or layer subject; nil for the fleet.
    let layer: PlanLayer?
    let host: HostName?
    let wall: WallTime

    enum Expectation { case source, target }

    /// Whether a first capture is a baseline to compare with.
    func baseline(_ capture: Capture, allowsTarget: Bool) -> GateVerdict {
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
    ) -> GateVerdict {
        let verdict = compare(capture, with: accepted, expects: expects, expected: expected)
        guard let found = verdict.problem else { return .pass }
        let unknown =
            switch verdict {
            case .inconclusive: true
            case .pass, .fail: false
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
    ) -> GateVerdict {
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
        return pathProblem(capture).map(GateVerdict.fail) ?? .pass
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
    private func runtimeVerdict(_ capture: Capture, expects: Expectation, changedAt: WallTime?) -> GateVerdict {
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
