import LabFleet
import Testing
import UpgradeDomain

/// Every command that Lockflight prints as the next one is run as printed.
@Suite(.serialized)
struct NextCommandTests {
    private func next(_ fleet: FleetFixture) async throws -> [String] {
        guard case .array(let commands)? = try await fleet.status().value(at: "/next") else { return [] }
        let printed = try await fleet.run(["status"]).output
        let lines = commands.compactMap(\.scalarText)
        for line in lines { #expect(printed.contains(line), "the view does not show: \(line)") }
        return lines
    }

    /// Runs the printed command that begins so, and returns its exit code.
    private func follow(
        _ fleet: FleetFixture, _ beginning: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Int32 {
        let commands = try await next(fleet)
        let line = try #require(
            commands.first { $0.hasPrefix("lockflight " + beginning) }, "not offered: \(beginning) in \(commands)",
            sourceLocation: sourceLocation)
        return try await fleet.runVerbatim(line).code
    }

    @Test func aFailedStepIsRecheckedRerunResumedAndTheRunTakenBack() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.redeployFails, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            // Narrowest first.
            let offered = try await next(fleet).map { $0.split(separator: " ").prefix(3).joined(separator: " ") }
            #expect(offered.prefix(2) == ["lockflight rollout recheck", "lockflight rollout rerun"])
            #expect(try await follow(fleet, "rollout recheck") == FleetFixture.Exit.held.rawValue)
            try await fleet.lab.mend("core-1")
            #expect(try await follow(fleet, "rollout rerun") == FleetFixture.Exit.held.rawValue)
            #expect(try await follow(fleet, "rollout resume") == FleetFixture.Exit.verified.rawValue)
            #expect(try await follow(fleet, "rollback") == FleetFixture.Exit.rolledBackVerified.rawValue)
            for host in fleet.lab.hosts { #expect(try await fleet.version(host.name, host.layers[0]) == "1.4.0") }
            #expect(try await follow(fleet, "rollout finalize") == FleetFixture.Exit.verified.rawValue)
        }
    }

    @Test func aRollbackThatWaitsForASignOffGoesOnWithIt() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.rollbackFails, on: "edge-1", target: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            #expect(try await follow(fleet, "rollback") == FleetFixture.Exit.rolledBackNotVerified.rawValue)
            #expect(try await fleet.version("core-1", "core") == "1.5.0")
            #expect(try await follow(fleet, "rollout recheck") == FleetFixture.Exit.held.rawValue)
            #expect(try await follow(fleet, "rollout sign-off") == FleetFixture.Exit.rolledBackNotVerified.rawValue)
            #expect(try await fleet.version("core-1", "core") == "1.4.0")
            #expect(try await fleet.version("data-1", "data") == "1.4.0")
            #expect(try await fleet.version("edge-1", "edge") == "1.5.0")
        }
    }

    @Test func aLostHostIsRecheckedAndTheRunGoesOn() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
            try await fleet.expect(.unreachable, "rollout", "start", "lab-1.5.0")
            try await fleet.lab.mend("core-1")
            #expect(try await follow(fleet, "rollout resume") == FleetFixture.Exit.verified.rawValue)
        }
    }
}
