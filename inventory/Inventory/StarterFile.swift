/// Commented files to begin with; `lockflight init` writes them.
package enum StarterFile: String, CaseIterable, Sendable {
    case inventory = "inventory.yaml"
    case plan = "plan.yaml"

    /// YAML.
    package var text: String {
        let bytes =
            switch self {
            case .inventory: PackageResources.inventory_yaml
            case .plan: PackageResources.plan_yaml
            }
        return String(decoding: bytes, as: UTF8.self)
    }
}
