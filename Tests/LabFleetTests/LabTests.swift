import Foundation
import LabFleet
import Subprocess
import Testing
import UpgradeDomain

/// The lab is real and is removed afterwards.
@Suite(.serialized)
struct LabTests {
    static let network = "127.\(30 + ProcessInfo.processInfo.processIdentifier % 45)"

    private func with(
        _ layout: LabLayout = .standard(hosts: 2), third octet: Int, _ body: (Lab) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/lockflight-lab-\(UUID().uuidString.prefix(8))"
        let lab = try await Lab.up(at: folder, layout: layout, network: "\(LabTests.network).\(octet)")
        do {
            try await body(lab)
        } catch {
            try await lab.down(removing: true)
            throw error
        }
        try await lab.down(removing: true)
        #expect(!FileManager.default.fileExists(atPath: folder))
        #expect(processes(naming: folder).isEmpty, "still running: \(processes(naming: folder))")
    }

    private func processes(naming folder: String) -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.filter { Int($0) != nil }.compactMap { pid in
            guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return nil }
            let line = String(decoding: data, as: UTF8.self).replacingOccurrences(of: "\0", with: " ")
            return line.contains(folder) ? "\(pid) \(line)" : nil
        }
    }

    /// Runs a command on a host the way an operator would, with OpenSSH's client.
    private func ssh(_ lab: Lab, _ host: LabHost, _ command: String) async throws -> (succeeded: Bool, output: String) {
        let record = try await Subprocess.run(
            .name("ssh"),
            arguments: [
                "-F", "none", "-i", lab.identityPath, "-p", "\(host.sshPort)", "-o", "BatchMode=yes",
                "-o", "UserKnownHostsFile=\(lab.knownHostsPath)", "-o", "StrictHostKeyChecking=yes",
                "\(NSUserName())@\(host.address)", "cd \(host.workingDirectory) && \(command)",
            ], output: .string(limit: 65_536), error: .string(limit: 65_536))
        return (record.terminationStatus.isSuccess, record.standardOutput + record.standardError)
    }

    @Test func aHostIsReachedChecksItselfAndIsReallyUpgraded() async throws {
        try await with(third: 1) { lab in
            let host = try lab.host("core-1")
            let check = "python3 -IS ./scripts/verify_runtime_materialization.py --check --layer core"
            #expect(try await ssh(lab, host, check).succeeded)
            #expect(try await ssh(lab, host, "bash ./scripts/verify-runtime-guardrails.sh --layer core").succeeded)
            let pid = "\(host.workingDirectory)/layers/core/run/service.pid"
            let before = try String(contentsOfFile: pid, encoding: .utf8)
            let moved = try await ssh(lab, host, "bash ./scripts/redeploy-host-stack.sh --layer core --to 1.5.0")
            #expect(moved.succeeded, "\(moved.output)")
            #expect(try await lab.runningVersion(of: host, layer: "core") == "1.5.0")
            #expect(try String(contentsOfFile: pid, encoding: .utf8) != before)
            #expect(try await ssh(lab, host, check).succeeded)
            let other = try await Lab.open(at: lab.folder).status()
            #expect(other.map(\.isReachable) == [true, true])
            #expect(other.map { $0.versions.values.first } == ["1.4.0", "1.5.0"])
        }
    }

    @Test func aSecondLabInTheSameFolderIsRefused() async throws {
        try await with(.standard(hosts: 1), third: 2) { lab in
            await #expect(throws: LabError.self) {
                try await Lab.up(at: lab.folder, layout: .standard(hosts: 1), network: "\(LabTests.network).3")
            }
            let statuses = try await lab.status()
            #expect(statuses.map(\.isReachable) == [true])
        }
    }

    /// Faults that show in the stack itself after an upgrade, and disappear after a repair and a redeploy.
    @Test(arguments: [
        LabFault.redeployFails, .serviceUnhealthy, .materializationDrift, .oldProcessServes, .guardrailRefuses,
        .rollbackFails,
    ])
    func aFaultBreaksTheHostAndRepairingItRestoresTheHost(_ fault: LabFault) async throws {
        try await with(.standard(hosts: 2), third: 4) { lab in
            let host = try lab.host("core-1")
            func upgradeIsSound() async throws -> Bool {
                let guardrail = try await ssh(lab, host, "bash ./scripts/verify-runtime-guardrails.sh --layer core")
                let moved = try await ssh(lab, host, "bash ./scripts/redeploy-host-stack.sh --layer core --to 1.5.0")
                let check = try await ssh(
                    lab, host, "python3 -IS ./scripts/verify_runtime_materialization.py --check --layer core")
                let smoke = try await ssh(lab, host, "curl -fsS \(host.baseURL(in: "core"))/api/v1/orders/smoke")
                let version = try await lab.runningVersion(of: host, layer: "core")
                let back = try await ssh(lab, host, "bash -n ./scripts/rollback-host-stack.sh")
                return guardrail.succeeded && moved.succeeded && check.succeeded && smoke.succeeded && back.succeeded
                    && version == "1.5.0"
            }
            try await lab.inject(fault, on: "core-1", target: "1.5.0")
            #expect(try lab.faults(of: host) == [fault])
            #expect(try await upgradeIsSound() == false)
            try await lab.mend("core-1")
            #expect(try lab.faults(of: host).isEmpty)
            if fault == .oldProcessServes {
                // The pid file does not name the old process, so an operator ends that process by hand.
                _ = try await ssh(lab, host, "pkill -f \(host.workingDirectory)/releases/1.4.0/service.py; true")
            }
            #expect(try await upgradeIsSound())
        }
    }

    @Test func openSSHSeesTheLostServerAndTheChangedKeyToo() async throws {
        try await with(.standard(hosts: 2), third: 5) { lab in
            let host = try lab.host("core-1")
            for fault in [LabFault.sshdDown, .hostKeyChanged] {
                try await lab.inject(fault, on: "core-1", target: "1.5.0")
                #expect(try await ssh(lab, host, "true").succeeded == false, "\(fault.rawValue)")
                try await lab.mend("core-1")
                #expect(try await ssh(lab, host, "true").succeeded, "\(fault.rawValue)")
            }
        }
    }

    @Test func thePageListsEveryFaultWithItsHoldCode() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/lab.md"), encoding: .utf8)
        for fault in LabFault.allCases {
            let row = page.split(separator: "\n").first { $0.hasPrefix("| `\(fault.rawValue)` |") }
            #expect(row?.hasSuffix("| `\(fault.expectedHoldCode)` |") == true, "\(fault.rawValue)")
            #expect(HoldCode(rawValue: fault.expectedHoldCode) != nil)
        }
    }
}
