import ContentDigest
import SafeText
import UpgradeDomain

/// A plan, drawn as the sequence in which it will run.
struct PlanSequence {
    let plan: Plan
    let inventory: FleetInventory
    let digest: Digest
    let standing: ApprovalStanding?

    func lines(_ context: Context) -> [TerminalText] {
        let style = context.style
        let hosts = plan.selectedHosts(of: inventory)
        var lines = [
            style.bold("\(plan.name)  \(plan.version.from) -> \(plan.version.to)") + "  (\(plan.changeClass.rawValue))",
            "digest  \(digest)", "hosts   \(hosts.count) of \(inventory.hosts.count)",
        ]
        lines += plan.reviews.map { "review  \($0.title): \($0.reference)" }
        lines += plan.exclusions.map { style.yellow("excluded") + "  \($0.host): \($0.reason)" }
        lines += (plan.files ?? []).map { "carries  \($0.name)  \($0.sha256.short)" }
        lines += [
            "",
            "preflight  every host is reachable, has its scripts and rollback prerequisites, and is at its source version",
            "baseline   \(family) on every placement",
        ]
        lines += hold(.run, style)
        for (index, layer) in plan.layers.enumerated() { lines += draw(layer, index, hosts, style) }
        lines += ["", "end        the whole fleet is verified again; `rollout finalize` then ends the rollback window"]
        return lines.flatMap { $0.wrapped(to: context.width, indent: 13) }
    }

    private var family: String {
        let surfaces = plan.evidence.map { surface in
            switch surface.scope {
            case .host: "\(surface.name)"
            case .layer(let host): "\(surface.name) (once per layer, from \(host))"
            case .fleet(let host): "\(surface.name) (once, from \(host))"
            }
        }
        return (["versions", "materialization"] + surfaces + ["\(plan.representativePath.name)"]).joined(
            separator: ", ")
    }

    private func draw(_ layer: PlanLayer, _ index: Int, _ hosts: [Host], _ style: Style) -> [TerminalText] {
        let names = hosts.filter { host in host.placements.contains { $0.layer == layer.name } }.map(\.name)
        var lines = [
            "",
            style.bold("layer \(index + 1)    \(layer.name)") + "  \(layer.version.from) -> \(layer.version.to)"
                + approval(layer.name, style),
        ]
        lines += hold(.layer(layer.name), style)
        if let release = layer.release {
            let signed = release.signatures.isEmpty ? "" : ", \(counted(release.signatures.count, "signature"))"
            lines.append(
                "  release    \(counted(release.files.count, "file")), \(release.digest.short)\(signed); preflight compares each with the hosts"
            )
        }
        for component in layer.components {
            let own = component.version == layer.version ? "" : "  \(component.version.from) -> \(component.version.to)"
            lines.append("  component  \(component.name)\(own)")
        }
        for surface in layer.evidence ?? [] { lines.append("  evidence   \(surface.name), of this layer") }
        for step in layer.steps {
            let marks =
                (step.once ? ", once" : "") + (step.idempotent ? ", idempotent" : "")
                + (step.rebootWithinSeconds.map { ", reboots the host, back within \($0) s" } ?? "")
            lines.append(
                "  step       \(step.name): \(ShellText.line(step.command.arguments))  (at most \(step.command.timeoutSeconds) s\(marks))"
            )
        }
        for batch in layer.batches(over: names) {
            lines += hold(.batch(layer: layer.name, index: batch.index), style)
            let members = batch.placements.map(\.host.rawValue).joined(separator: ", ")
            lines.append("  batch \(batch.index + 1)    \(members)\(batch.index == 0 ? "  (canary)" : "")")
            lines.append(
                "  " + style.dim("boundary   drift check, guardrails, steps, verify, soak \(layer.soakSeconds) s, gate")
            )
        }
        lines += [
            "  in flight  at most \(layer.maxInFlight); healthy within \(layer.healthyWithinSeconds) s; progress within \(layer.progressDeadlineSeconds) s",
            "  fails on   non-zero exit, signal, timeout, lost result, unknown or regressed evidence",
        ]
        lines += layer.failedWhen.map { "             \($0)" }
        lines += [
            "  rollback   \(reach(layer.rollback.boundary))\(layer.rollback.boundary == .oneWay ? "" : layer.rollback.command.map { ": " + ShellText.line($0.arguments) } ?? "")"
        ]
        if let seconds = layer.confirmWithinSeconds {
            lines.append(
                "  confirm    a host that is not reached again within \(seconds) s of a step rolls back by itself")
        }
        lines.append("  " + style.dim("boundary   every placement touched so far is verified again"))
        return lines
    }

    /// That the run waits here, if it does.
    private func hold(_ point: HoldPoint, _ style: Style) -> [TerminalText] {
        guard plan.holdPoints?.contains(point) == true else { return [] }
        let indent: TerminalText = point == .run ? "" : "  "
        let own = standing?.holdPoints?.first { $0.point == point }
        let state =
            own.map { own in
                own.lacking.map { ": \($0)" } ?? "; open, by \(own.givenBy.map(\.rawValue).joined(separator: ", "))"
            } ?? ""
        return [
            indent + style.yellow("hold")
                + "\(point == .run ? "  " : "")     the run waits for approval before \(point)\(state)"
        ]
    }

    private func reach(_ boundary: RollbackBoundary) -> String {
        switch boundary {
        case .reversible: "possible until the run is finalized, and later with a separate plan"
        case .untilFinalize: "possible until the run is finalized, not afterwards"
        case .untilNextLayer: "possible until the next layer starts"
        case .oneWay: "never: one-way; no layer below it can be rolled back either"
        }
    }

    private func approval(_ layer: LayerName, _ style: Style) -> TerminalText {
        guard let own = standing?.layers.first(where: { $0.layer == layer }) else { return "" }
        return "  " + own.words(style)
    }
}
