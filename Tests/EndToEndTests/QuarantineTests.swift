import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// A run whose record is damaged has a way out that guesses nothing.
struct QuarantineTests {
    private func damage(_ fleet: FleetFixture, _ sequence: Int) throws {
        let script = """
            import sqlite3, sys
            ledger = sqlite3.connect(sys.argv[1])
            trigger = ledger.execute("SELECT sql FROM sqlite_schema WHERE name = 'events_keep_update'").fetchone()[0]
            ledger.execute("DROP TRIGGER events_keep_update")
            ledger.execute("UPDATE events SET payload = CAST('{\\"torn' AS BLOB) WHERE sequence = ?", (int(sys.argv[2]),))
            ledger.execute(trigger)
            ledger.commit()
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script, fleet.folder + "/ledger.sqlite", "\(sequence)"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    @Test func aDamagedRunIsSetAsideAndItsHostsAreFreedOnceTheyAnswer() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            let run = try #require(try await fleet.status().value(at: "/run")?.scalarText)
            // A sound run is not set aside.
            try await fleet.expect(.refused, "ledger", "quarantine", run, "--reason", "whim")
            try damage(fleet, 9)

            try await fleet.expect(.failure, "rollout", "finalize")
            let verified = try await fleet.expect(.failure, "ledger", "verify")
            let line = try #require(verified.errors.split(separator: "\n").last { $0.hasPrefix("next: ") })
            #expect(line == "next: lockflight ledger quarantine \(run)")
            try await fleet.expect(.usage, "ledger", "quarantine", run)

            try await fleet.lab.inject(.sshdDown, on: "core-2", target: "1.5.0")
            let partly = try await fleet.expect(.unreachable, "ledger", "quarantine", run, "--reason", "a torn page")
            #expect(partly.output.contains("core-1") && partly.errors.contains("1 hosts still belong"))
            let shown = try await fleet.expect(.held, "status")
            #expect(shown.output.contains("quarantined") && shown.output.contains("a torn page"))
            #expect(shown.output.contains("still with the run: core-2"))
            // Nothing drives it or changes it, and its hosts are not given to another run before they have answered.
            for words in [["rollout", "resume"], ["rollback", "--all", "--reason", "x"], ["rollout", "finalize"]] {
                #expect(try await fleet.run(words).code == FleetFixture.Exit.refused.rawValue, "\(words)")
            }
            let claimed = try await fleet.expect(.refused, "rollout", "start", "lab-1.5.0")
            #expect(claimed.errors.contains("lockflight ledger quarantine \(run)"))

            try await fleet.expect(.refused, "ledger", "quarantine", run, "--abandon", "core-1")
            try await fleet.expect(.verified, "ledger", "quarantine", run, "--abandon", "core-2")
            #expect(try await fleet.expect(.verified, "status").output.contains("free, abandoned: core-2"))
            #expect(try await fleet.expect(.verified, "ledger", "reconstructed").output.contains("core-1"))
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }
}
