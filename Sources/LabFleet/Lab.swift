import ContentDigest
import Foundation
import OperatorCommands
package import UpgradeDomain

/// A fleet on one machine: real sshd processes on loopback addresses, each with its own stack to upgrade.
///
/// Everything is below one folder. Running processes are found through it, so another process can take the lab down.
package struct Lab: Sendable {
    package let folder: String
    package let layout: LabLayout
    package let hosts: [LabHost]

    private struct Record: Codable {
        var layout: LabLayout
        var hosts: [LabHost]
    }

    static let recordName = "lab.json"
    static let firstServicePort = 8_101
    /// How many hosts start or stop at the same time; each starts half a dozen processes.
    static let hostsAtOnce = 16

    package var inventoryPath: String { "\(folder)/inventory.yaml" }
    package var knownHostsPath: String { "\(folder)/known_hosts" }
    package var identityPath: String { "\(folder)/id_ed25519" }
    /// The policy of a lab whose approvals are signed, and the folder with the keys of its people.
    package var policyPath: String { "\(folder)/policy.yaml" }
    package var peopleFolder: String { "\(folder)/people" }
    /// Who decides about the policy of a lab with people; the key of each is in `people/`.
    package var policySigners: [String] { [LabFiles.owner(of: layout.layers[0]), LabPeople.deputy] }
    /// The path of the plan to a version.
    package func planPath(to version: Version) -> String { "\(folder)/plan-\(version).yaml" }

    package func host(_ name: HostName) throws(LabError) -> LabHost {
        guard let host = hosts.first(where: { $0.name == name }) else {
            throw LabError(
                .unknownHost,
                "the lab has no host \(name); it has \(hosts.map(\.name.rawValue).joined(separator: ", "))")
        }
        return host
    }

    // MARK: Up

    /// Builds and starts a lab at version 1.4.0.
    ///
    /// - Parameters:
    ///   - folder: where it keeps everything; created here.
    ///   - layout: its hosts and their layers.
    ///   - network: the first three octets of the hosts' addresses, below 127.
    ///   - sshPort: the port of every host's sshd.
    ///   - isSigned: whether it has people with keys, and a policy for them.
    /// - Throws: if there is already a lab, or if a program is missing.
    package static func up(
        at folder: String, layout: LabLayout, network: String = "127.77.0", sshPort: Int = 2_222,
        isSigned: Bool = false
    ) async throws(LabError) -> Lab {
        let folder = URL(fileURLWithPath: folder).path
        if LabFile.exists("\(folder)/\(recordName)") {
            throw LabError(.folderInUse, "there is a lab in \(folder) already", next: .endLab(folder: folder))
        }
        for program in [LabServer.program, "ssh-keygen", "python3", "curl", "flock"] {
            try await requireProgram(program)
        }
        try LabFile.makeFolder(folder)
        let hosts = layout.members.enumerated().map { index, member in
            LabHost(
                name: member.name, address: "\(network).\(11 + index)", sshPort: sshPort,
                servicePorts: Dictionary(
                    uniqueKeysWithValues: member.layers.enumerated().map { ($1, firstServicePort + $0) }),
                root: "\(folder)/hosts/\(member.name)")
        }
        let lab = Lab(folder: folder, layout: layout, hosts: hosts)
        try lab.save()
        do throws(LabError) {
            try await lab.start()
            if isSigned { try await LabPeople(lab: lab).make() }
        } catch {
            try await lab.down(removing: true)
            throw error
        }
        return lab
    }

    private static func requireProgram(_ program: String) async throws(LabError) {
        let found = try await LabCommand.run("sh", ["-c", "command -v \"$0\"", program])
        guard found.succeeded else {
            throw LabError(.missingProgram, "the lab needs \(program); `make setup` installs it")
        }
    }

    private func start() async throws(LabError) {
        try await LabCommand.require(
            "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "lockflight-lab", "-f", identityPath])
        let key = try LabFile.read("\(identityPath).pub")
        try await onEachHost { host throws(LabError) in
            let server = LabServer(host: host)
            try await server.install(authorizedKey: key)
            try await server.start()
            let stack = LabStack(host: host)
            try stack.install()
            for layer in host.layers { try await stack.deploy("1.4.0", layer: layer) }
        }
        try writeKnownHosts()
        var manifests: [Version: String] = [:]
        for version in LabStack.versions { manifests[version] = try LabStack(host: hosts[0]).manifestDigest(version) }
        let files = LabFiles(lab: self, manifests: manifests)
        try LabFile.write(files.inventory(), to: inventoryPath)
        for (source, target) in zip(LabStack.versions, LabStack.versions.dropFirst()) {
            try LabFile.write(files.plan(from: source, to: target), to: planPath(to: target))
        }
    }

    /// Does the same on every host, ``hostsAtOnce`` at a time. After a failure it starts no further host.
    private func onEachHost(
        _ body: @escaping @Sendable (LabHost) async throws(LabError) -> Void
    ) async throws(LabError) {
        let failure = await withTaskGroup(of: LabError?.self) { group in
            var waiting = hosts[...]
            func begin() {
                guard let host = waiting.popFirst() else { return }
                group.addTask {
                    do throws(LabError) {
                        try await body(host)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            for _ in 0..<Lab.hostsAtOnce { begin() }
            var failure: LabError?
            for await result in group {
                failure = failure ?? result
                if failure == nil { begin() }
            }
            return failure
        }
        if let failure { throw failure }
    }

    private func writeKnownHosts() throws(LabError) {
        var lines = ""
        for host in hosts { lines += try LabServer(host: host).knownHostsLine() + "\n" }
        try LabFile.write(lines, to: knownHostsPath)
    }

    private func save() throws(LabError) {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try LabFile.write(
                [UInt8](try encoder.encode(Record(layout: layout, hosts: hosts))), to: "\(folder)/\(Lab.recordName)")
        } catch let error as LabError {
            throw error
        } catch {
            throw LabError(.fileSystem, "the lab's record could not be written: \(error)")
        }
    }

    // MARK: An existing lab

    /// The lab in a folder.
    package static func open(at folder: String) throws(LabError) -> Lab {
        let folder = URL(fileURLWithPath: folder).path
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(recordName)"),
            let record = try? CanonicalJSON.decode(Record.self, from: [UInt8](data))
        else {
            throw LabError(.noLab, "there is no lab in \(folder)", next: .startLab(folder: folder))
        }
        return Lab(folder: folder, layout: record.layout, hosts: record.hosts)
    }

    /// What runs on each host now.
    package func status() async throws(LabError) -> [LabHostStatus] {
        var statuses: [LabHostStatus] = []
        for host in hosts {
            var versions: [LayerName: String] = [:]
            for layer in host.layers { versions[layer] = try await runningVersion(of: host, layer: layer) }
            statuses.append(
                LabHostStatus(
                    host: host, isReachable: LabServer(host: host).isRunning, versions: versions,
                    faults: try faults(of: host)))
        }
        return statuses
    }

    /// The version that a layer's process reports; nil if nothing answers.
    package func runningVersion(of host: LabHost, layer: LayerName) async throws(LabError) -> String? {
        let answer = try await LabCommand.run(
            "curl", ["-fsS", "--max-time", "20", "\(host.baseURL(in: layer))/version"])
        guard answer.succeeded, let document = try? CanonicalJSON.answer(from: Array(answer.output.utf8)) else {
            return nil
        }
        return document.value(at: "/version")?.text
    }

    /// Ends every process that runs from the lab's folder.
    /// - Parameter removing: also delete the folder.
    package func down(removing: Bool) async throws(LabError) {
        try await onEachHost { host throws(LabError) in
            try await LabServer(host: host).stop()
            try await unmount(host)
        }
        try await LabProcess.endAll("the lab in \(folder)") { LabProcess.belonging(to: folder) }
        if removing { try LabFile.remove(folder) } else { try LabFile.remove("\(folder)/\(Lab.recordName)") }
    }
}

/// One host of a lab in its present state.
package struct LabHostStatus: Hashable, Sendable {
    package var host: LabHost
    package var isReachable: Bool
    /// The version that each layer's process reports; missing if nothing answers.
    package var versions: [LayerName: String]
    package var faults: [LabFault]
}
