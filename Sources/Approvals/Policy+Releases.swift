import SafeText
package import UpgradeDomain

extension Policy {
    /// What the signatures under a layer's release manifest lack, in words; nil if they suffice, or no builders are named.
    package func releaseLack(of layer: PlanLayer) -> String? {
        guard let builders else { return nil }
        let asked = counted(builders.threshold, "builder")
        guard let release = layer.release else {
            return "layer \(layer.name) has no release manifest, and the policy asks for one that \(asked) signed"
        }
        let findings = signers(of: release.text, signatures: release.signatures, as: .release)
        let present = findings.signers(among: builders.people)
        guard present.count < builders.threshold else { return nil }
        let names = builders.people.sorted().map(\.rawValue).joined(separator: ", ")
        let given = present.isEmpty ? "" : "; signed by \(present.map(\.rawValue).joined(separator: ", "))"
        let refused = findings.refused.prefix(2).map { "; \($0.words)" }.joined()
        return
            "the release manifest of layer \(layer.name) needs the signatures of \(asked) (\(names))\(given)\(refused)"
    }
}
