import Approvals
import Foundation
import PlanFiles
import Testing
import UpgradeDomain

@testable import Inventory
@testable import LabFleet

/// A plan over its fleet, whose leaves are tested.
struct LeafCase {
    var inventory: FleetInventory
    var plan: Plan
    var hosts: [UpgradeDomain.Host] { plan.selectedHosts(of: inventory) }
    var leaves: HostLeaves { HostLeaves(of: plan, over: hosts) }

    func leaf(_ host: HostName) throws -> HostLeaf { try #require(leaves.leaf(of: host)) }

    static let digits = String(repeating: "7", count: 64)
    static let guardrail = "echo may I\n"

    /// - Parameter change: of the plan's text.
    static func read(
        _ inventory: String, _ plan: String, _ change: (String) -> String = { $0 }
    ) throws -> LeafCase {
        let silence = SSHConfigAnswers(configFile: nil, defaults: SSHConfigAnswer("user me\nport 22\n"))
        let fleet = try InventoryFile.read(text: inventory, file: "inventory.yaml").resolved(by: silence)
        let plan = try PlanFile.read(
            text: change(plan), file: "plan.yaml", inventory: fleet, at: WallTime(clamping: 1_800_000_000_000),
            loading: { path in
                path.hasSuffix(".sh")
                    ? guardrail : "\(digits)  scripts/redeploy-host-stack.sh\n\(digits)  bin/api\n"
            })
        return LeafCase(inventory: fleet, plan: plan)
    }

    static func example(_ change: (String) -> String = { $0 }) throws -> LeafCase {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "inventory/examples")
        func text(_ name: String) throws -> String {
            try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        }
        return try read(try text("inventory.yaml"), try text("plan.yaml"), change)
    }

    static func lab() throws -> LeafCase {
        let layout = LabLayout(
            layers: ["data", "core", "edge"],
            members: [
                .init("both-1", layers: ["data", "core"]), .init("core-2", layers: ["core"]),
                .init("edge-1", layers: ["edge"]),
            ])
        let hosts = layout.members.enumerated().map { index, member in
            LabHost(
                name: member.name, address: "127.77.0.\(11 + index)", sshPort: 2_222,
                servicePorts: Dictionary(
                    uniqueKeysWithValues: member.layers.enumerated().map { ($1, 8_101 + $0) }),
                root: "/lab/hosts/\(member.name)")
        }
        let files = LabFiles(
            lab: Lab(folder: "/lab", layout: layout, hosts: hosts), manifests: ["1.4.0": digits, "1.5.0": digits])
        return try read(files.inventory(), files.plan(from: "1.4.0", to: "1.5.0"))
    }

    /// Everything that the example does not have.
    static func rich() throws -> LeafCase {
        try example { text in
            text.replacing(
                "guardrails:\n", with: "files: [judge.sh]\nguardrails:\n  - {run: [sh, \"${file.judge.sh}\"]}\n",
                maxReplacements: 1
            )
            .replacing(
                "run: [bash, ./scripts/redeploy-host-stack.sh, --to, \"${to}\"]",
                with:
                    "run: [bash, ./redeploy-host-stack.sh, \"${run}\", \"$${run}\"]\n      workingDirectory: ./scripts\n      environment: {STAGE: \"${layer}\"}",
                maxReplacements: 1
            )
            .replacing("  soakSeconds: 60\n", with: "  soakSeconds: 60\n  release: \"releases/${to}.sha256\"\n")
            .replacing("  # confirmWithinSeconds", with: "  confirmWithinSeconds")
            .replacing(
                "  - name: unit\n",
                with:
                    "  - name: peers\n    scope: {layer: core-1}\n    command: {run: [./scripts/peers.sh]}\n    read: {shape: statusMap}\n  - name: unit\n"
            )
        }
    }
}
