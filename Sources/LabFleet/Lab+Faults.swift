import Foundation
import Glibc
package import UpgradeDomain

extension Lab {
    /// Breaks a host so that an upgrade of `layer` to `target` runs into the fault.
    package func inject(
        _ fault: LabFault, on name: HostName, layer: LayerName? = nil, target: Version
    ) async throws(LabError) {
        let host = try host(name)
        guard let layer = layer ?? host.layers.first, host.layers.contains(layer) else {
            throw LabError(.unknownHost, "\(name) is not in layer \(layer?.rawValue ?? "?")")
        }
        let release = host.release(target)
        let place = host.place(of: layer)
        switch fault {
        case .redeployFails:
            try keep("\(release)/service.py", of: host, fault)
            try LabFile.write("import sys\nsys.exit('damaged release')\n", to: "\(release)/service.py")
        case .redeployHangs:
            try await hold("\(place)/run/deploy.lock", of: host, fault)
        case .serviceUnhealthy:
            try LabFile.makeFolder("\(place)/data/store-folder")
            try change(of: target, on: host, fault, LabStack.settings(store: "store-folder"))
        case .serviceMissing:
            try change(of: target, on: host, fault, LabStack.settings(workers: ["ingest"]))
        case .readinessStale:
            try change(of: target, on: host, fault, LabStack.settings(probeSeconds: 86_400))
        case .unapprovedBuild:
            for part in ["service.py", "manifest.sha256"] { try keep("\(release)/\(part)", of: host, fault) }
            try LabFile.write(try LabFile.read("\(release)/service.py") + "# rebuilt\n", to: "\(release)/service.py")
            try LabStack(host: host).writeManifest(target)
        case .oldProcessServes:
            try await decoy("\(place)/run/service.pid", of: host, fault)
        case .materializationDrift:
            try keep("\(release)/prober.py", of: host, fault)
            try LabFile.write(
                try LabFile.read("\(release)/prober.py") + "# edited by hand\n", to: "\(release)/prober.py")
        case .guardrailRefuses:
            try mark(host, fault, "\(place)/data")
            chmod("\(place)/data", 0o777)
        case .sshdDown:
            try mark(host, fault, "")
            try await LabServer(host: host).stop()
        case .hostKeyChanged:
            try keep("\(host.root)/sshd/host_key", of: host, fault)
            try keep("\(host.root)/sshd/host_key.pub", of: host, fault)
            let server = LabServer(host: host)
            try await server.makeHostKey()
            try await server.stop()
            try await server.start()
        case .diskFull: try await fill(host, fault)
        case .rollbackFails:
            let script = "\(host.workingDirectory)/scripts/rollback-host-stack.sh"
            try keep(script, of: host, fault)
            try LabFile.write("#!/usr/bin/env bash\nset -euo pipefail\nif true; then\n", to: script, mode: 0o755)
        }
    }

    /// The faults that a host has now.
    package func faults(of host: LabHost) throws(LabError) -> [LabFault] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(host.root)/faults")) ?? []
        return names.compactMap(LabFault.init(rawValue:)).sorted { $0.rawValue < $1.rawValue }
    }

    /// Undoes every fault of a host. Changes that an upgrade made meanwhile stay.
    package func mend(_ name: HostName) async throws(LabError) {
        let host = try host(name)
        for fault in try faults(of: host) {
            let record = try LabFile.read("\(host.root)/faults/\(fault.rawValue)/record")
            switch fault {
            case .guardrailRefuses: chmod(record, 0o755)
            case .sshdDown: break
            case .redeployHangs, .oldProcessServes: if let pid = pid_t(record) { LabProcess.end(pid) }
            case .diskFull: try await unmount(host)
            case .redeployFails, .serviceUnhealthy, .serviceMissing, .readinessStale, .unapprovedBuild,
                .materializationDrift, .hostKeyChanged, .rollbackFails:
                try restore(host, fault)
            }
            if fault == .hostKeyChanged { try await LabServer(host: host).stop() }
            try LabFile.remove("\(host.root)/faults/\(fault.rawValue)")
        }
        let server = LabServer(host: host)
        if !server.isRunning { try await server.start() }
    }

    // MARK: Keeping the originals

    private func faultFolder(_ host: LabHost, _ fault: LabFault) -> String { "\(host.root)/faults/\(fault.rawValue)" }

    private func mark(_ host: LabHost, _ fault: LabFault, _ record: String) throws(LabError) {
        try LabFile.makeFolder(faultFolder(host, fault))
        try LabFile.write(record, to: "\(faultFolder(host, fault))/record")
    }

    /// Moves a file aside, next to its path, so that mending can restore it.
    private func keep(_ path: String, of host: LabHost, _ fault: LabFault) throws(LabError) {
        let kept = "\(faultFolder(host, fault))/kept\(path.dropFirst(host.root.count))"
        try mark(host, fault, "")
        try LabFile.makeFolder((kept as NSString).deletingLastPathComponent)
        do {
            try FileManager.default.copyItem(atPath: path, toPath: kept)
        } catch {
            throw LabError(
                .fileSystem, "\(path) could not be kept: \(error.localizedDescription); is the fault there already?")
        }
    }

    private func restore(_ host: LabHost, _ fault: LabFault) throws(LabError) {
        let kept = "\(faultFolder(host, fault))/kept"
        for case let name as String in FileManager.default.enumerator(atPath: kept) ?? .init() {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: "\(kept)/\(name)", isDirectory: &isFolder), !isFolder.boolValue
            else { continue }
            try LabFile.remove("\(host.root)/\(name)")
            try LabFile.move("\(kept)/\(name)", to: "\(host.root)/\(name)")
        }
    }

    /// Changes the settings of a release on a host.
    private func change(
        of version: Version, on host: LabHost, _ fault: LabFault, _ settings: String
    ) throws(LabError) {
        try keep("\(host.release(version))/settings.json", of: host, fault)
        try LabFile.write(settings, to: "\(host.release(version))/settings.json")
    }

    // MARK: Processes

    /// A separate process that holds a lock until it is killed.
    private func hold(_ lock: String, of host: LabHost, _ fault: LabFault) async throws(LabError) {
        let script = "setsid flock --close \"$0\" sleep 86400 </dev/null >/dev/null 2>&1 & echo $!"
        let output = try await LabCommand.require("bash", ["-c", script, lock], in: host.root)
        try mark(host, fault, output.trimmingCharacters(in: .whitespacesAndNewlines))
        let clock = ContinuousClock()
        let deadline = clock.now + LabServer.startDeadline
        while try await LabCommand.run("flock", ["-n", lock, "true"]).succeeded {
            guard clock.now < deadline else { throw LabError(.neverAnswered, "the lock \(lock) could not be taken") }
        }
    }

    /// Writes an unrelated process's ID into a pid file.
    private func decoy(_ pidFile: String, of host: LabHost, _ fault: LabFault) async throws(LabError) {
        let output = try await LabCommand.require(
            "bash", ["-c", "setsid sleep 86400 </dev/null >/dev/null 2>&1 & echo $!"], in: host.root)
        let pid = output.trimmingCharacters(in: .whitespacesAndNewlines)
        try mark(host, fault, pid)
        try LabFile.write(pid, to: pidFile)
    }

    // MARK: Disk

    /// Puts the agent's state folder on its own small file system and fills it.
    private func fill(_ host: LabHost, _ fault: LabFault) async throws(LabError) {
        guard getuid() == 0 else {
            throw LabError(.notPossibleHere, "disk-full mounts a small file system, which needs root")
        }
        let content = "\(faultFolder(host, fault))/content"
        try mark(host, fault, host.stateDirectory)
        try await LabCommand.require("cp", ["-a", host.stateDirectory, content])
        try await LabCommand.require(
            "mount", ["-t", "tmpfs", "-o", "size=1m,mode=700", "lockflight-lab", host.stateDirectory])
        try await LabCommand.require("cp", ["-a", "\(content)/.", host.stateDirectory])
        _ = try await LabCommand.run("dd", ["if=/dev/zero", "of=\(host.stateDirectory)/filler", "bs=4k"])
    }

    func unmount(_ host: LabHost) async throws(LabError) {
        guard try faults(of: host).contains(.diskFull) else { return }
        try await LabCommand.require("umount", ["-l", host.stateDirectory])
    }
}
