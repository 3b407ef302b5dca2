import ArgumentParser
import RolloutEngine
import UpgradeDomain

/// One host, one layer or everything.
struct RollbackScopeOptions: ParsableArguments {
    @Option(name: .long, help: "Only this host, in all its layers.") var host: String?
    @Option(name: .long, help: "Only this layer.") var layer: String?
    @Flag(name: .long, help: "Everything this run touched.") var all = false

    func validate() throws {
        let chosen = (host == nil ? 0 : 1) + (layer == nil ? 0 : 1) + (all ? 1 : 0)
        guard chosen == 1 else { throw ValidationError("choose one of --host, --layer and --all") }
    }

    var scope: RollbackScope {
        if let host { return .host(name: HostName(host)) }
        return layer.map { .layer(name: LayerName($0)) } ?? .all
    }
}
