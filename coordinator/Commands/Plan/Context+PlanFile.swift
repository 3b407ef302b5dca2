import CoordinatorRuntime
import PlanFiles
import SafeText
import UpgradeDomain

extension Context {
    /// The plan that a file describes, with the files that it carries and its release manifests, which are read from its folder.
    ///
    /// - Parameter isStored: whether it is to be stored.
    func plan(
        in file: String, over inventory: FleetInventory, _ versions: VersionOptions, isStored: Bool = false
    ) throws -> Plan {
        let folder = file.cut(atLast: "/").map { "\($0.before)/" } ?? ""
        return try PlanFile.read(
            text: try readFile(file), file: file, inventory: inventory, at: Context.clock.wall(),
            versions: versions.arguments, isStored: isStored,
            loading: { path in
                let place = path.begins(with: "/") ? path : folder + path
                return try readFile(place, limitBytes: ReleaseManifest.totalBytes, mayStream: false)
            },
            carrying: { path in try readFile(path, in: folder, limitBytes: CarriedFile.totalBytes) })
    }
}
