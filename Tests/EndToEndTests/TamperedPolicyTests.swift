import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// A policy that somebody removes or replaces in the file of the ledger, after runs went by it.
struct TamperedPolicyTests {
    /// Runs statements without the triggers that keep rows, and puts the triggers back.
    private func edit(_ ledger: String, _ statements: String) throws {
        let script = """
            import sqlite3, sys
            ledger = sqlite3.connect(sys.argv[1])
            triggers = ledger.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for name, _ in triggers: ledger.execute("DROP TRIGGER " + name)
            ledger.executescript(sys.argv[2])
            for _, sql in triggers: ledger.execute(sql)
            ledger.commit()
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script, ledger, statements]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    @Test func aRemovedPolicyIsNoticedAndNothingIsApprovedByClaims() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.storePolicy()
            let plan = try await fleet.addPlan(to: "1.5.0")
            let shown = try await fleet.run([
                "plan", "approve", plan, "--as", "core-owner", "--key", fleet.key("night"),
            ])
            #expect(shown.errors.contains("serves      1 run, 2 attempts for each host and layer"), "\(shown)")
            try await fleet.approve(plan, as: "core-owner")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.verified, "ledger", "verify")
            try await bundles(fleet)

            let ledger = "\(fleet.folder)/ledger.sqlite"
            let copy = "\(fleet.folder)/copy.sqlite"
            try await fleet.expect(.verified, "backup", copy)
            try edit(copy, "DELETE FROM statement_signatures;")
            let unsigned = try await fleet.expect(.failure, "ledger", "verify", "--ledger", copy)
            #expect(
                unsigned.output.contains("recordMissing: r-") && unsigned.output.contains("with a signature that the"),
                "\(unsigned)")

            try edit(ledger, "DELETE FROM policies;")
            let verified = try await fleet.expect(.failure, "ledger", "verify")
            #expect(verified.output.contains("the ledger has no policy any more"), "\(verified)")
            #expect(verified.errors.contains("next: lockflight events r-"), "\(verified)")
            let claim = try await fleet.expect(.refused, "plan", "approve", plan, "--as", "core-owner")
            #expect(claim.errors.contains("the ledger has no policy any more"), "\(claim)")
            #expect(claim.errors.contains("next: lockflight ledger verify"), "\(claim)")
            let started = try await fleet.expect(.refused, "rollout", "start", "lab-1.5.0")
            #expect(started.errors.contains("the ledger has no policy any more"), "\(started)")
            #expect(started.errors.contains("next: lockflight ledger verify"), "\(started)")
            // Another first version does not take its place.
            let other = "\(fleet.folder)/other.yaml"
            let key = try String(contentsOfFile: "\(fleet.key("night")).pub", encoding: .utf8)
            try """
            format: 1
            people:
              night: {keys: ["\(key.trimmingCharacters(in: .newlines))"]}
            signers: {people: [night]}
            layers:
              core: {owners: [night], oneWayThreshold: 1}
            """.write(toFile: other, atomically: true, encoding: .utf8)
            let signed = try await fleet.expect(.refused, "policy", "sign", other, "--key", fleet.key("night"))
            #expect(signed.errors.contains("the ledger has no policy any more"), "\(signed)")
        }
    }

    /// A bundle says which policy it proves, and whoever knows a version can demand it.
    private func bundles(_ fleet: FleetFixture) async throws {
        let file = "\(fleet.folder)/run.json"
        let run = try #require(try await fleet.run(["status", "--json"]).document().value(at: "/run")?.scalarText)
        try await fleet.expect(.verified, "evidence", "export", run, "--output", file)
        let policy = try await fleet.expect(.verified, "policy", "show", "--json").document()
        let fingerprint = try #require(policy.value(at: "/fingerprint")?.scalarText)
        let plain = try await fleet.expect(.verified, "evidence", "verify", file)
        #expect(plain.output.contains("policy version 1, fingerprint \(fingerprint)"), "\(plain)")
        #expect(plain.output.contains("the policy was not compared"), "\(plain)")
        let compared = try await fleet.expect(
            .verified, "evidence", "verify", file, "--policy", fingerprint, "--json"
        ).document()
        #expect(compared.value(at: "/policy/comparedVersion")?.scalarText == "1")
        #expect(compared.value(at: "/policy/signatures")?.scalarText == "1")
        let newer = "sha256:" + String(repeating: "0a", count: 32)
        let unseen = try await fleet.expect(.failure, "evidence", "verify", file, "--policy", newer)
        #expect(unseen.errors.contains("its newest version is 1"), "\(unseen)")
        #expect(unseen.errors.contains("or the run never saw that version"), "\(unseen)")
        let report = try await fleet.expect(.verified, "report", run)
        #expect(report.output.contains("version 1, fingerprint \(fingerprint)"), "\(report)")
        let statement = "\(fleet.folder)/a.json"
        try "{\"format\":1}".write(toFile: statement, atomically: true, encoding: .utf8)
        let wrong = try await fleet.expect(.refused, "evidence", "verify", statement)
        #expect(wrong.errors.contains("is not an evidence bundle: the key '"), "\(wrong)")
    }
}
