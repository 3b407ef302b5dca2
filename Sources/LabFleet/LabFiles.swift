import UpgradeDomain

/// The inventory and the plans of a lab, as an operator would write them.
struct LabFiles {
    let lab: Lab
    /// The SHA-256 of each release's manifest; the same on every host.
    let manifests: [Version: String]

    func inventory() -> String {
        var lines = [
            "# The inventory of this lab.", "version: 1",
            "sshConfig: none               # a lab looks the same for every user", "defaults:",
            "  user: \(LabUser.name)",
            "  port: \(lab.hosts.first?.sshPort ?? 22)", "  identityFile: \(lab.identityPath)", "layers:",
        ]
        for layer in lab.layout.layers {
            lines += ["  - name: \(layer)", "    owners: [\(LabFiles.owner(of: layer))]"]
        }
        lines.append("hosts:")
        for host in lab.hosts {
            lines += [
                "  - name: \(host.name)", "    address: \(host.address)",
                "    workingDirectory: \(host.workingDirectory)",
                "    layers:",
            ]
            for layer in lab.layout.layers where host.layers.contains(layer) {
                lines.append("      \(layer): {baseURL: \"\(host.baseURL(in: layer))\"}")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One owner per layer, so that approvals of different layers need different owners.
    static func owner(of layer: LayerName) -> String { "\(layer)-owner" }

    func plan(from source: Version, to target: Version) -> String {
        """
        # Moves this lab from \(source) to \(target).
        version: 1
        name: lab-\(target)
        from: "\(source)"
        to: "\(target)"
        changeClass: minor
        reviews:
          - {title: "Release notes \(target)", reference: "stack/releases/\(target)"}
        evidence:
          - name: services
            http: {url: "${baseURL}/api/v1/platform/services", timeoutSeconds: 5}
            read: {shape: statusList, items: /services}
          - name: readiness
            http: {url: "${baseURL}/api/v1/observability/readiness", timeoutSeconds: 5}
            read:
              shape: statusObjects
              items: /checks
              timestamp: {pointer: /generatedAt, maxAgeSeconds: 3}
        materialization:
          run: [python3, -IS, ./scripts/verify_runtime_materialization.py, --check, --layer, "${layer}"]
          timeoutSeconds: 20
        guardrails:
          - {run: [bash, ./scripts/verify-runtime-guardrails.sh, --layer, "${layer}"], timeoutSeconds: 20}
        representativePath:
          name: order-smoke
          http: {url: "${baseURL}/api/v1/orders/smoke", timeoutSeconds: 5}
          read: {shape: result}
        minimumFreeDiskMebibytes: 16
        layerDefaults:
          steps:
            - name: redeploy
              run: [bash, ./scripts/redeploy-host-stack.sh, --layer, "${layer}", --to, "${to}"]
              timeoutSeconds: 20
          rollback:
            boundary: untilFinalize
            run: [bash, ./scripts/rollback-host-stack.sh, --layer, "${layer}", --to, "${from}"]
            timeoutSeconds: 20
            requires:
              - {manifest: "releases/${from}/manifest.sha256", sha256: \(manifests[source] ?? "")}
          batches: [1, 100%]
          maxInFlight: 2
          soakSeconds: 2
          sampleSeconds: 1
          healthyWithinSeconds: 8
          progressDeadlineSeconds: 60
          failedWhen:
            - the new release does not answer on its port
            - old and new release answer on one host
        layers:

        """ + lab.layout.layers.map { layer($0, from: source, to: target) }.joined()
    }

    private func layer(_ name: LayerName, from source: Version, to target: Version) -> String {
        """
          - name: \(name)
            components:
              - name: \(name)-service
                http: {url: "${baseURL}/version", timeoutSeconds: 5}
                pointer: /version
                runtime:
                  manifest: "layers/${layer}/current/manifest.sha256"
                  ports: ["${authority}"]
                  approved:
                    "\(source)": {manifest: \(manifests[source] ?? "")}
                    "\(target)": {manifest: \(manifests[target] ?? "")}

        """
    }
}
