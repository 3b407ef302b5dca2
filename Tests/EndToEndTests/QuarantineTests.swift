import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// A run whose record is damaged can be set aside without guessing.
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
            try await fleet.approvePlan(to: "1.5.0", runs: 3, change: CrashTests.counting)
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            let run = try #require(try await fleet.status().value(at: "/run")?.scalarText)
            // An undamaged run is not set aside.
            try await fleet.expect(.refused, "ledger", "quarantine", run, "--reason", "whim")
            try damage(fleet, 9)

            try await fleet.expect(.failure, "rollout", "finalize")
            let verified = try await fleet.expect(.failure, "ledger", "verify")
            let line = try #require(verified.errors.split(separator: "\n").last { $0.hasPrefix("next: ") })
            #expect(line == "next: lockflight ledger quarantine \(run)")
            try await fleet.expect(.usage, "ledger", "quarantine", run)

            try await fleet.lab.inject(.sshdDown, on: "core-2", target: "1.5.0")
            let partly = try await fleet.expect(.unreachable, "ledger", "quarantine", run, "--reason", "a torn page")
            #expect(partly.output.contains("core-1") && partly.errors.contains("still claimed by \(run): core-2;"))
            let shown = try await fleet.expect(.verified, "status")
            #expect(shown.output.contains("quarantined") && shown.output.contains("a torn page"))
            #expect(shown.output.contains("still with the run: core-2"))
            // Nothing drives or changes it, and its hosts are not released to another run before they have answered.
            for words in [["rollout", "resume"], ["rollback", "--all", "--reason", "x"], ["rollout", "finalize"]] {
                #expect(try await fleet.run(words).code == FleetFixture.Exit.refused.rawValue, "\(words)")
            }
            let claimed = try await fleet.expect(.refused, "rollout", "start", "lab-1.5.0")
            #expect(claimed.errors.contains("lockflight ledger quarantine \(run)"))

            try await fleet.expect(.refused, "ledger", "quarantine", run, "--abandon", "core-1")
            try await fleet.expect(.verified, "ledger", "quarantine", run, "--abandon", "core-2", "--reason", "gone")
            #expect(try await fleet.expect(.verified, "status").output.contains("free, abandoned: core-2"))
            #expect(try await fleet.expect(.verified, "ledger", "reconstructed").output.contains("core-1"))
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func aBusyHostStaysWithItsRunEvenIfAPersonWouldReleaseIt() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            let plan = { ConfirmationRunTests.waiting($0, confirmWithinSeconds: 600) }
            try await fleet.approvePlan(to: "1.5.0", change: plan)
            _ = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { process in
                try await fleet.wait(for: "the redeploy to begin") { try CrashTests.redeploys(fleet, "core-1") == 1 }
                kill(process, SIGTERM)
            }
            let run = try #require(try await fleet.status().value(at: "/run")?.scalarText)
            try damage(fleet, 9)
            let words = ["ledger", "quarantine", run, "--reason", "torn", "--abandon", "core-1"]
            let busy = try await fleet.run(words)
            #expect(busy.code == FleetFixture.Exit.unreachable.rawValue, "\(busy.output)\(busy.errors)")
            #expect(busy.output.contains("still runs \(run).core-1.core."), "\(busy.output)")
            #expect(try await fleet.run(["status"]).output.contains("still with the run: core-1"))

            for host in fleet.lab.hosts { try Data().write(to: URL(fileURLWithPath: host.root + "/go")) }
            try await fleet.wait(for: "core-1 to be free") {
                try await fleet.run(["ledger", "quarantine", run]).code == FleetFixture.Exit.verified.rawValue
            }
            // It was reached, so it keeps its change, and the next run finds its actual state.
            #expect(try await fleet.version("core-1", "core") == "1.5.0")
            #expect(try await fleet.run(["ledger", "reconstructed"]).output.contains("\(run).core-1.core."))
        }
    }
}
