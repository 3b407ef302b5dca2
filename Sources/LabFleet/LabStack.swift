import ContentDigest
import Foundation
import UpgradeDomain

/// The product stack on a lab host: releases, scripts, and one folder per layer.
struct LabStack {
    static let versions: [Version] = ["1.4.0", "1.5.0", "1.6.0"]
    static let workers = ["ingest", "report"]

    /// Where scripts look for programs: the same as over ssh, regardless of what the user's shell adds.
    static let searchPath = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

    let host: LabHost

    /// Creates the checkout with every release on disk. Nothing runs yet.
    func install() throws(LabError) {
        let scripts: [(String, [UInt8])] = [
            ("redeploy-host-stack.sh", PackageResources.redeploy_host_stack_sh),
            ("rollback-host-stack.sh", PackageResources.rollback_host_stack_sh),
            ("verify-runtime-guardrails.sh", PackageResources.verify_runtime_guardrails_sh),
            ("verify_runtime_materialization.py", PackageResources.verify_runtime_materialization_py),
        ]
        try LabFile.makeFolder("\(host.workingDirectory)/scripts")
        for (name, bytes) in scripts {
            try LabFile.write(bytes, to: "\(host.workingDirectory)/scripts/\(name)", mode: 0o755)
        }
        for version in LabStack.versions { try install(version) }
        for layer in host.layers {
            for part in ["data", "run"] { try LabFile.makeFolder("\(host.place(of: layer))/\(part)") }
            let port = host.servicePorts[layer] ?? 0
            try LabFile.write("ADDRESS=\(host.address)\nPORT=\(port)\n", to: "\(host.place(of: layer))/env")
        }
    }

    private func install(_ version: Version) throws(LabError) {
        let folder = host.release(version)
        try LabFile.makeFolder(folder)
        try LabFile.write("\(version)\n", to: "\(folder)/VERSION")
        try LabFile.write(PackageResources.service_py, to: "\(folder)/service.py")
        try LabFile.write(PackageResources.prober_py, to: "\(folder)/prober.py")
        try LabFile.write(LabStack.settings(), to: "\(folder)/settings.json")
        try writeManifest(version)
    }

    static func settings(
        store: String = "store.db", workers: [String] = LabStack.workers, probeSeconds: Double = 1
    ) -> String {
        let names = workers.map { "\"\($0)\"" }.joined(separator: ", ")
        return "{\"store\": \"\(store)\", \"workers\": [\(names)], \"probeSeconds\": \(probeSeconds)}\n"
    }

    /// Updates the release's manifest to match the files on disk, in sha256sum(1) format. The settings belong to the
    /// host and are not part of it.
    func writeManifest(_ version: Version) throws(LabError) {
        var manifest = ""
        for name in ["VERSION", "prober.py", "service.py"] {
            manifest += "\(try sha256("\(host.release(version))/\(name)"))  \(name)\n"
        }
        try LabFile.write(manifest, to: "\(host.release(version))/manifest.sha256")
    }

    /// The SHA-256 of a release's manifest.
    func manifestDigest(_ version: Version) throws(LabError) -> String {
        try sha256("\(host.release(version))/manifest.sha256")
    }

    private func sha256(_ path: String) throws(LabError) -> String {
        guard let digest = Digest.ofFile(path) else { throw LabError(.fileSystem, "\(path) could not be read") }
        return String(digest.rawValue.trimmingPrefix("sha256:"))
    }

    /// Moves a layer to a version with the stack's own script.
    func deploy(_ version: Version, layer: LayerName) async throws(LabError) {
        try await LabCommand.require(
            "bash", ["scripts/redeploy-host-stack.sh", "--layer", layer.rawValue, "--to", version.rawValue],
            in: host.workingDirectory, environment: ["PATH": LabStack.searchPath])
    }
}
