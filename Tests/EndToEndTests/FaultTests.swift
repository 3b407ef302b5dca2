import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Every fault of a lab host leads to its hold code, and nothing later is touched.
struct FaultTests {
    static let chain = LabLayout(
        layers: ["data", "core", "edge"],
        members: [
            .init("data-1", layers: ["data"]), .init("core-1", layers: ["core"]), .init("core-2", layers: ["core"]),
            .init("edge-1", layers: ["edge"]),
        ])

    /// Faults that are found before anything changes, so not even the first layer moves.
    static let early: Set<LabFault> = [.sshdDown, .hostKeyChanged, .diskFull]

    @Test(arguments: LabFault.allCases.filter { $0 != .rollbackFails })
    func aFaultHoldsTheRunAtItsBoundary(_ fault: LabFault) async throws {
        if fault == .diskFull, getuid() != 0 { return }
        try await FleetFixture.with(FaultTests.chain) { fleet in
            // The soak is longer than the allowed age of readiness, so that a stale answer is noticed.
            try await fleet.approvePlan(to: "1.5.0") {
                fault == .readinessStale
                    ? $0.replacingOccurrences(of: "soakSeconds: 2", with: "soakSeconds: 20")
                    : $0
            }
            try await fleet.lab.inject(fault, on: "core-1", target: "1.5.0")
            try await fleet.expect(fault == .sshdDown ? .unreachable : .held, "rollout", "start", "lab-1.5.0")
            let status = try await fleet.status()
            #expect(status.value(at: "/hold/code")?.scalarText == fault.expectedHoldCode)
            #expect(status.value(at: "/hold/host")?.scalarText == "core-1")
            // According to the hosts, not our records: the layer below moved, and nothing later did.
            let data = try await fleet.version("data-1", "data")
            #expect(data == (FaultTests.early.contains(fault) ? "1.4.0" : "1.5.0"))
            for (host, layer) in [("core-2", "core"), ("edge-1", "edge")] as [(HostName, LayerName)] {
                #expect(try await fleet.version(host, layer) == "1.4.0")
                #expect(try fleet.journal(of: host).isEmpty)
            }
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func aFailedRollbackIsReportedAndARepairedOneIsVerified() async throws {
        try await FleetFixture.with(FaultTests.chain) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.rollbackFails, on: "core-1", target: "1.5.0")
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.rolledBackNotVerified, "rollback", "--host", "core-1", "--reason", "test")
            let failures = try await fleet.run(["status"]).output
            #expect(failures.contains(LabFault.rollbackFails.expectedHoldCode))
            try await fleet.lab.mend("core-1")
            try await fleet.expect(.rolledBackVerified, "rollback", "--host", "core-1", "--reason", "test")
            #expect(try await fleet.version("core-1", "core") == "1.4.0")
        }
    }

    @Test func aHostWhosePinnedKeyIsRevokedIsNotLoggedInToAnyMore() async throws {
        try await FleetFixture.with(ConnectionFaultTests.one) { fleet in
            let known = try String(contentsOfFile: fleet.lab.knownHostsPath, encoding: .utf8)
            // An unreadable key was revoked, so no key is trusted.
            let cut = known.split(separator: " ").prefix(2).joined(separator: " ") + " AAAA"
            try (known + "@revoked \(cut)\n").write(
                toFile: fleet.lab.knownHostsPath, atomically: true, encoding: .utf8)
            let unsure = try await fleet.expect(
                .refused, "inventory", "trust", "--known-hosts", fleet.lab.knownHostsPath)
            #expect(unsure.output.contains("withdrawn: the file revokes a key"), "\(unsure.output)")
            try known.write(toFile: fleet.lab.knownHostsPath, atomically: true, encoding: .utf8)
            try await fleet.expect(.verified, "inventory", "trust", "--known-hosts", fleet.lab.knownHostsPath)
            try (known + "@revoked " + known).write(
                toFile: fleet.lab.knownHostsPath, atomically: true, encoding: .utf8)
            let trust = try await fleet.expect(
                .refused, "inventory", "trust", "--known-hosts", fleet.lab.knownHostsPath)
            #expect(trust.output.contains("withdrawn: a pinned key is revoked"), "\(trust.output)")
            try await fleet.approvePlan(to: "1.5.0")
            let log = try fleet.lab.host("core-1").root + "/sshd/sshd.log"
            let before = try String(contentsOfFile: log, encoding: .utf8)
            let start = try await fleet.run(["rollout", "start", "lab-1.5.0"])
            #expect(start.code != FleetFixture.Exit.verified.rawValue)
            #expect((start.output + start.errors).contains("lockflight inventory trust"), "\(start)")
            #expect(try String(contentsOfFile: log, encoding: .utf8) == before)
            try await fleet.expect(.refused, "inventory", "trust", "--known-hosts", fleet.lab.knownHostsPath)
        }
    }
}
