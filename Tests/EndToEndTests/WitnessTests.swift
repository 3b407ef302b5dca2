import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// A ledger alone cannot show that it was rewritten with every hash correct.
struct WitnessTests {
    /// Changes the last event of a kind, and makes every later hash fit.
    private static let rewriting = """
        import hashlib, json, sqlite3, sys
        def sha256(data): return "sha256:" + hashlib.sha256(data).hexdigest()
        db = sqlite3.connect(sys.argv[1])
        trigger = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'events_keep_update'").fetchone()[0]
        db.execute("DROP TRIGGER events_keep_update")
        (run,) = db.execute("SELECT id FROM runs").fetchone()
        previous, changed, kind_changed = "sha256:" + "0" * 64, 0, sys.argv[2]
        old, new = (text.encode() for text in sys.argv[3:5])
        events = db.execute("SELECT sequence, version, kind, payload, recorded_at_milliseconds FROM events"
            " WHERE run = ? ORDER BY sequence", (run,)).fetchall()
        last = max(event[0] for event in events if event[2] == kind_changed)
        for sequence, version, kind, payload, time in events:
            if sequence == last:
                changed = payload.count(old)
                payload = payload.replace(old, new)
            link = {"kind": kind, "payloadDigest": sha256(payload), "previousHash": previous,
                "recordedAtMilliseconds": time, "run": run, "sequence": sequence, "version": version}
            own = sha256(json.dumps(link, sort_keys=True, separators=(",", ":")).encode())
            db.execute("UPDATE events SET payload = ?, previous_hash = ?, hash = ? WHERE run = ? AND sequence = ?",
                (payload, previous, own, run, sequence))
            previous = own
        db.execute("UPDATE runs SET head_hash = ?", (previous,))
        db.execute(trigger)
        db.commit()
        sys.exit(0 if changed else 1)
        """

    @Test func aRewrittenRecordIsContradictedByItsHosts() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            let agreed = try await fleet.expect(.verified, "ledger", "witness")
            #expect(agreed.output.contains("agrees") && !agreed.output.contains("contradicts"))

            let file = fleet.folder + "/bundle.json"
            let exported = try await fleet.expect(.verified, "evidence", "export", "--output", file, "--json")
            let head = try #require(try exported.document().value(at: "/chainHead")?.scalarText)
            let proved = try await fleet.expect(.verified, "evidence", "verify", file, "--head", head)
            #expect(proved.errors.contains("witnessed by 3 hosts") && proved.errors.contains("the head that was kept"))
            try await fleet.expect(.verified, "evidence", "verify", file, "--head", "\(head.prefix(24))")
            let other = "sha256:" + String(repeating: "0", count: 64)
            try await fleet.expect(.failure, "evidence", "verify", file, "--head", other)
            try await fleet.expect(.usage, "evidence", "verify", file, "--head", "57")
            // A host's records contradict a forged bundle, too.
            let forged = fleet.folder + "/forged.json"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let range = try #require(text.range(of: #""witnesses":[{"head":"sha256:"#))
            var bytes = text
            bytes.replaceSubrange(range.upperBound..<text.index(range.upperBound, offsetBy: 8), with: "00000000")
            try bytes.write(toFile: forged, atomically: true, encoding: .utf8)
            let refused = try await fleet.expect(.failure, "evidence", "verify", forged)
            #expect(refused.errors.contains("failed verification at the witness core-1"), "\(refused.errors)")

            // No later operation reports the last outcome to its host, but the captures at later gates do.
            try await rewrite("operationEnded", #""durationMilliseconds":"#, #""durationMilliseconds":1"#, fleet)
            let late = try await fleet.expect(.failure, "ledger", "witness")
            #expect(late.output.contains("of a gate") && !late.output.contains(".redeploy."), "\(late.output)")
            try await rewrite("driverAttached", #""machine":""#, #""machine":"not-"#, fleet)
            let contradicted = try await fleet.expect(.failure, "ledger", "witness")
            #expect(contradicted.output.contains("contradicts") && contradicted.errors.contains("rewritten"))
            // It was kept earlier and is part of every export.
            try await fleet.expect(.verified, "evidence", "export", "--output", forged)
            try await fleet.expect(.failure, "evidence", "verify", forged)
        }
    }

    private func rewrite(_ kind: String, _ text: String, _ other: String, _ fleet: FleetFixture) async throws {
        let command = ["python3", "-c", WitnessTests.rewriting, fleet.folder + "/ledger.sqlite", kind, text, other]
        try await fleet.execute(command, fleet.environment).expectSuccess()
        try await fleet.expect(.verified, "ledger", "verify")
    }
}

extension FleetFixture.Outcome {
    fileprivate func expectSuccess() { #expect(code == 0, "\(output)\(errors)") }
}
