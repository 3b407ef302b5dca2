/// Commented files to begin with; `lockflight init` writes them.
package enum StarterFile: String, CaseIterable, Sendable {
    case inventory = "fleet.yaml"
    case plan = "upgrade.yaml"

    /// YAML.
    package var text: String {
        let bytes =
            switch self {
            case .inventory: PackageResources.fleet_yaml
            case .plan: PackageResources.upgrade_yaml
            }
        return String(decoding: bytes, as: UTF8.self)
    }
}
