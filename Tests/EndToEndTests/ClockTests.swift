import Foundation
import LabFleet
import Subprocess
import Testing
import UpgradeDomain

/// The coordinator's wall clock jumps ten years forward and ten years back during a run.
struct ClockTests {
    private static let tenYears = 315_360_000

    /// Compiles the clock that is inserted between the coordinator and the system.
    private func clockLibrary(in folder: String) async throws -> String {
        let library = folder + "/wallclock.so"
        let source = FleetFixture.repository + "/Tests/EndToEndTests/WallClock/wallclock.c"
        let record = try await Subprocess.run(
            .name("gcc"), arguments: ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source],
            output: .discarded, error: .string(limit: 65_536))
        #expect(record.terminationStatus.exitCode == 0, "\(record.standardError)")
        return library
    }

    @Test(arguments: [[tenYears, -tenYears], [-tenYears, tenYears]])
    func aClockThatJumpsChangesNothingAboutARun(_ jumps: [Int]) async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            let offset = fleet.folder + "/offset"
            func set(_ seconds: Int) throws {
                try "\(seconds)\n".write(toFile: offset, atomically: true, encoding: .utf8)
            }
            try set(0)
            let library = try await clockLibrary(in: fleet.folder)
            let outcome = try await fleet.withRunning(
                "rollout", "start", "lab-1.5.0",
                through: ["env", "LD_PRELOAD=\(library)", "WALL_CLOCK_OFFSET=\(offset)"]
            ) { _ in
                for (jump, host) in zip(jumps, ["core-1", "core-2"] as [HostName]) {
                    try await fleet.wait(for: "\(host)'s redeploy") { try CrashTests.redeploys(fleet, host) == 1 }
                    try set(jump)
                }
            }
            #expect(outcome.code == FleetFixture.Exit.verified.rawValue, "\(outcome.output)\(outcome.errors)")
            for host in fleet.lab.hosts { #expect(try CrashTests.redeploys(fleet, host.name) == 1) }
            // Both jumps must be visible, or the test proves nothing.
            let events = try await fleet.run(["events"]).output
            let years = Set(events.matches(of: /(?m)^\d+ +(\d{4})-/).map(\.output.1))
            #expect(years.count == 3, "\(years)")
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }
}
