import CoordinatorRuntime
import PlanFiles
import SafeText
import UpgradeDomain

extension Context {
    /// The plan that a file describes, with the files that it carries and its release manifests, which are read from its folder.
    func plan(in file: String, over inventory: FleetInventory, _ versions: VersionOptions) throws -> Plan {
        let folder = file.cut(atLast: "/").map { "\($0.before)/" } ?? ""
        return try PlanFile.read(
            text: try readFile(file), file: file, inventory: inventory, at: Context.clock.wall(),
            versions: versions.arguments,
            loading: { path in
                try readFile(path.begins(with: "/") ? path : folder + path, limitBytes: ReleaseManifest.totalBytes)
            })
    }
}
