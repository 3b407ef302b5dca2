import ContentDigest
import SafeText
import Synchronization
package import UpgradeDomain

/// The leaves of the hosts of a plan.
package struct HostLeaves: Sendable {
    private let plan: Plan
    private let hosts: [Host]
    /// The hosts that run the `once` steps.
    private let firstHosts: [LayerName: HostName]
    private let releases: [LayerName: Digest]
    private let known = KnownLeaves()

    /// - Parameters:
    ///   - plan: what is signed.
    ///   - hosts: those of the run, in inventory order, with the placements that the plan moves (`Plan.selectedHosts(of:)`).
    ///     The first host of a layer runs its `once` steps: another first host has another leaf.
    package init(of plan: Plan, over hosts: [Host]) {
        self.plan = plan
        self.hosts = hosts
        firstHosts = Dictionary(
            plan.layers.compactMap { layer in layer.firstHost(among: hosts).map { (layer.name, $0) } }
        ) { $1 }
        releases = Dictionary(
            plan.layers.compactMap { layer in layer.release.map { (layer.name, $0.digest) } }
        ) { $1 }
    }

    /// Nil for a host that is not among them.
    package func leaf(of host: HostName) -> HostLeaf? { hosts.first { $0.name == host }.map(leaf) }

    /// The digest of each host's leaf.
    package func digests() throws -> [HostName: Digest] {
        var digests: [HostName: Digest] = [:]
        digests.reserveCapacity(hosts.count)
        for host in hosts { digests[host.name] = try leaf(of: host).digest() }
        return digests
    }

    /// The digest of the leaf of a host as it is described here; computed once for each description.
    package func digest(of host: Host) throws -> Digest {
        if let digest = known.digest(of: host) { return digest }
        let digest = try leaf(of: host).digest()
        known.note(digest, of: host)
        return digest
    }

    /// The leaf of a host as it is described here, which may have another address than among the hosts.
    package func leaf(of host: Host) -> HostLeaf {
        let subjects = plan.subjects(from: host)
        let placements = plan.layers.filter { host.placement(in: $0.name) != nil }.map { layer in
            placement(layer, host, subjects)
        }
        var leaf = HostLeaf(
            format: HostLeaf.currentFormat, host: host.name, account: host.user, placements: placements)
        if subjects.contains(.fleet), let layer = host.placements.first.flatMap({ plan.layer($0.layer) }) {
            let directory = PlacementCommands(of: plan, layer, on: host, run: nil).directory
            leaf.fleetEvidence = capture(.fleet, host, layer, in: directory)
        }
        return leaf
    }

    private func placement(_ layer: PlanLayer, _ host: Host, _ subjects: [EvidenceSubject]) -> LeafPlacement {
        let own = PlacementCommands(of: plan, layer, on: host, run: nil)
        let directory = own.directory
        func entry(_ command: ScriptCommand) -> LeafCommand { self.entry(command, layer, in: directory) }
        let steps = layer.steps(on: host.name, first: firstHosts[layer.name]).map { step in
            LeafStep(
                name: step.name, command: entry(own.command(of: step)), idempotent: step.idempotent, once: step.once,
                rebootWithinSeconds: step.rebootWithinSeconds)
        }
        let rollback = LeafRollback(
            boundary: layer.rollback.boundary, command: own.goesBack ? own.rollback.map(entry) : nil,
            guardrails: own.goesBack ? own.rollbackGuardrails.map(entry) : [], keeps: own.keeps,
            requires: own.requires)
        let placement = Placement(host: host.name, layer: layer.name)
        return LeafPlacement(
            layer: layer.name, from: layer.version.from, to: layer.version.to, directory: directory,
            release: releases[layer.name], steps: steps, guardrails: own.guardrails.map(entry), rollback: rollback,
            evidence: capture(.placement(placement), host, layer, in: directory),
            layerEvidence: subjects.contains(.layer(layer.name))
                ? capture(.layer(layer.name), host, layer, in: directory) : nil,
            confirmWithinSeconds: layer.confirmWithinSeconds)
    }

    /// Its commands may be files of the layer's release.
    private func capture(
        _ subject: EvidenceSubject, _ host: Host, _ layer: PlanLayer, in directory: String
    ) -> LeafCapture {
        let surfaces = plan.surfaces(of: subject, from: host, run: nil).map { order in
            var surface = LeafSurface(name: order.surface.name, role: order.role)
            switch order.surface.source {
            case .command(let command): surface.command = entry(command, layer, in: directory)
            case .http(let http): surface.http = http
            case .runtime(let runtime): surface.runtime = runtime
            case .tcp(let tcp): surface.tcp = tcp
            case .unit(let unit): surface.unit = unit
            case .container(let container): surface.container = container
            }
            return surface
        }
        return LeafCapture(directory: directory, surfaces: surfaces)
    }

    private func entry(_ command: ScriptCommand, _ layer: PlanLayer, in directory: String) -> LeafCommand {
        let place = absolute(command.workingDirectory ?? "", in: directory)
        let files = known(command, at: place, layer, in: directory)
        return LeafCommand(
            arguments: command.arguments, directory: place, environment: command.environment,
            timeoutSeconds: command.timeoutSeconds, script: command.script, files: files.isEmpty ? nil : files)
    }

    /// The digests that the plan knows of a command's words.
    private func known(
        _ command: ScriptCommand, at place: String, _ layer: PlanLayer, in directory: String
    ) -> [String: Digest] {
        guard layer.release != nil || plan.files != nil else { return [:] }
        let root = absolute("", in: directory) + "/"
        var digests: [String: Digest] = [:]
        for word in command.arguments + [command.script].compactMap(\.self) {
            if let carried = plan.files?.first(where: { word.isSpelled($0.mark) }) {
                digests[word] = carried.sha256
            } else if let path = absolute(word, in: place).rest(after: root) {
                digests[word] = layer.release?.files[String(path)]
            }
        }
        return digests
    }

    /// As the agent makes it: `..` and links are left to the kernel.
    private func absolute(_ path: String, in directory: String) -> String {
        let whole = path.begins(with: "/") ? path : "\(directory)/\(path)"
        return "/" + whole.fields(separatedBy: "/").filter { !$0.isSpelled(".") }.joined(separator: "/")
    }
}

/// Digests that were computed before. A run that waits asks for the same ones several times a second.
private final class KnownLeaves: Sendable {
    private let digests = Mutex<[HostName: (host: Host, digest: Digest)]>([:])

    func digest(of host: Host) -> Digest? {
        digests.withLock { known in
            guard let own = known[host.name], own.host == host else { return nil }
            return own.digest
        }
    }

    func note(_ digest: Digest, of host: Host) { digests.withLock { $0[host.name] = (host, digest) } }
}
