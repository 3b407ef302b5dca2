import FileReading
import SafeText
import UpgradeDomain

/// Runtime proofs of components.
extension PlanReading {
    func readRuntime(_ own: Section<RuntimeKeys>) -> RuntimeProof {
        let source = RuntimeSource(
            manifest: own.value(\.manifest), checkout: own.value(\.checkout), pidFile: own.value(\.pidFile),
            ports: own.value(\.ports), container: own.value(\.container).flatMap(readContainerReference),
            unit: own.value(\.unit), timeoutSeconds: own.value(\.timeoutSeconds))
        if source.links.isEmpty {
            reader.report(
                own.line, "\(own.name) proves nothing",
                "set at least one of \(own.keys.choices.joined(separator: ", "))")
        }
        var approved: [Version: ApprovedRelease] = [:]
        for entry in own.value(\.approved) {
            approved[Version(entry.key)] = entry.value.map { release in
                ApprovedRelease(
                    manifest: release.value(\.manifest), commit: release.value(\.commit), image: release.value(\.image))
            }
        }
        return RuntimeProof(source: source, approved: approved, restarts: own.value(\.restarts))
    }

    func readContainerReference(_ own: Section<ContainerKeys>) -> ContainerReference? {
        guard let engine = own.value(\.engine), let name = own.value(\.name) else { return nil }
        return ContainerReference(engine: engine, name: name)
    }
}

extension PlanRules {
    /// The expected value of each link must be in the plan, for the version before and the version after.
    static func runtimeProblems(_ plan: Plan) -> [PlanProblem] {
        var problems: [PlanProblem] = []
        for (index, layer) in plan.layers.enumerated() {
            for component in layer.components {
                guard let proof = component.runtime else { continue }
                for version in [component.version.from, component.version.to] {
                    let approved = proof.approved[version]
                    let missing = [
                        proof.source.manifest != nil && approved?.manifest == nil ? "manifest" : nil,
                        proof.source.checkout != nil && approved?.commit == nil ? "commit" : nil,
                        proof.source.container != nil && approved?.image == nil ? "image" : nil,
                    ].compactMap(\.self)
                    guard !missing.isEmpty else { continue }
                    problems.append(
                        PlanProblem(
                            place: .layer(index),
                            message:
                                "the runtime proof of \(component.name) does not say what \(version) is: no \(missing.joined(separator: ", "))",
                            remedy: "write it under approved, for version \(version)"))
                }
            }
        }
        return problems
    }
}
