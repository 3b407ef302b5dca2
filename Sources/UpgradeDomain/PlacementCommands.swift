/// The commands of a host for one of its layers, placeholders replaced.
///
/// What preflight looks for, what operations run and what owners sign all come from here, so that they are the same.
package struct PlacementCommands: Sendable {
    private let plan: Plan
    private let layer: PlanLayer
    private let values: PlaceholderValues

    /// - Parameters:
    ///   - plan: with the checks.
    ///   - layer: of the plan.
    ///   - host: belongs to the layer.
    ///   - run: nil before there is one; texts are ``OpenText`` then.
    package init(of plan: Plan, _ layer: PlanLayer, on host: Host, run: RunID?) {
        self.plan = plan
        self.layer = layer
        values = PlaceholderValues(host: host, layer: layer, of: plan, run: run)
    }

    /// Where they run unless they say otherwise.
    package var directory: String { values.expand("${workingDirectory}") }

    package func command(of step: Step) -> ScriptCommand { values.expand(step.command) }

    /// Before each step.
    package var guardrails: [ScriptCommand] { plan.guardrails.map(values.expand) }

    /// Before a rollback: its own, or those before each step.
    package var rollbackGuardrails: [ScriptCommand] {
        (plan.rollbackGuardrails ?? plan.guardrails).map(values.expand)
    }

    /// The checks that only a rollback has; empty if it has those before each step.
    package var ownRollbackGuardrails: [ScriptCommand] { (plan.rollbackGuardrails ?? []).map(values.expand) }

    package var materialization: ScriptCommand { values.expand(plan.materialization) }

    /// Nil for a layer without one.
    package var rollback: ScriptCommand? { layer.rollback.command.map(values.expand) }

    /// Whether the rollback can run at all.
    package var goesBack: Bool { layer.rollback.boundary != .oneWay && layer.rollback.command != nil }

    /// What must be on the host for a rollback.
    package var requires: [RollbackArtifact] {
        layer.rollback.requires.map {
            RollbackArtifact(path: values.expand($0.path), sha256: $0.sha256, isManifest: $0.isManifest)
        }
    }

    /// What is kept for the rollback as it was before the change; nil for the folder of its script.
    package var keeps: [String]? { layer.rollback.keeps.map { $0.map(values.expand) } }
}
