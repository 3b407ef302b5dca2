import LabFleet
import Testing
import UpgradeDomain

/// Evidence as an operator meets it.
@Suite(.serialized)
struct EvidenceTests {
    @Test func aPlanIsTriedAgainstTheRealStackWithoutTouchingIt() async throws {
        try await FleetFixture.with { fleet in
            let plan = fleet.lab.planPath(to: "1.5.0")
            let tried = try await fleet.expect(.verified, "evidence", "try", plan, "--host", "core-1")
            #expect(tried.output.contains("core-1/core"))
            #expect(tried.output.contains("a baseline: yes"))
            try await fleet.lab.inject(.materializationDrift, on: "core-1", target: "1.4.0")
            let drifted = try await fleet.expect(.held, "evidence", "try", plan, "--host", "core-1")
            #expect(drifted.output.contains("a baseline: no: materialization-failed"))
            #expect(try fleet.journal(of: "core-1").isEmpty)
            try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
            try await fleet.expect(.unreachable, "evidence", "try", plan, "--host", "core-1")
        }
    }
}
