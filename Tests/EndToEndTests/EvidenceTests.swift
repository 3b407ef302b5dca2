import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Tests evidence as an operator sees it.
struct EvidenceTests {
    /// What is changed in an exported file, and where verification then fails.
    static let forgeries: [(from: String, to: String, place: String)] = [
        (#"\"code\":0"#, #"\"code\":1"#, "event"),
        (#""kind":"operationStarted""#, #""kind":"operationEnded""#, "event"),
        ("ready", "never", "the evidence"),
        (#""status":"rolled back: verified""#, #""status":"verified""#, "the conclusions"),
        (#""repairedByHand":false"#, #""repairedByHand":true"#, "the conclusions"),
        ("lockflight-evidence-3", "lockflight-evidence-9", "the format"),
        (#""run":{"boundary":"#, #""run":{"next":["rm -rf /"],"boundary":"#, "the conclusions"),
    ]

    /// An exported file in the format of builds up to 0.1.0.
    private static func withAdvice(_ text: String) throws -> String {
        let (run, boundary) = (#""run":{"boundary":"#, #""boundaries":[{"approvals":"#)
        try #require(text.contains(run) && text.contains(boundary))
        return text.replacing("lockflight-evidence-3", with: "lockflight-evidence-1").replacing(
            run, with: #""run":{"next":["lockflight rollout finalize r-1"],"boundary":"#
        )
        .replacing(boundary, with: #""boundaries":[{"options":[{"command":"a","why":"b"}],"approvals":"#)
    }

    /// An exported file of builds that still called a placement repaired after another change.
    private static func withLastingRepairs(_ text: String) throws -> String {
        try #require(text.contains(#""repairedByHand":false"#))
        return text.replacing("lockflight-evidence-3", with: "lockflight-evidence-2")
            .replacing(#""repairedByHand":false"#, with: #""repairedByHand":true"#)
    }

    @Test func aFirstPlanIsWrittenWithWhatAHostAnswers() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            let file = "\(fleet.folder)/shop.yaml"
            let silent = try await fleet.run(["plan", "init", file])
            #expect(silent.code == FleetFixture.Exit.usage.rawValue)
            #expect(
                silent.errors.contains("without a terminal to ask on, give --health, --port or --unit, "), "\(silent)")
            let script = "bash ./scripts/redeploy-host-stack.sh --layer ${layer} --to"
            let options = [
                "--host", "core-1", "--health", "${baseURL}/health", "--version-url", "${baseURL}/version", "--path",
                "${baseURL}/api/v1/orders/smoke", "--redeploy", "\(script) ${to}", "--rollback", "\(script) ${from}",
                "--check", "python3 -IS ./scripts/verify_runtime_materialization.py --check --layer ${layer}",
                "--guardrail", "bash ./scripts/verify-runtime-guardrails.sh --layer ${layer}",
            ]
            let written = try await fleet.run(["plan", "init", file] + options)
            #expect(written.code == FleetFixture.Exit.verified.rawValue, "\(written)")
            #expect(written.output.contains("a baseline: no: source-version-mismatch"), "\(written.output)")
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(text.contains("{name: health, http: {url: \"${baseURL}/health\"}}   # seen: 200\n"), "\(text)")
            #expect(text.contains("pointer: \"/version\"}   # seen: app 1.4.0\n"), "\(text)")
            try await fleet.expect(.verified, "plan", "check", file, "--from", "1.4.0", "--to", "1.5.0")
            #expect(try await fleet.run(["plan", "init", file] + options).code == FleetFixture.Exit.refused.rawValue)
            #expect(try String(contentsOfFile: file, encoding: .utf8) == text)
            // What a person must still write is no review.
            let draft = try await fleet.run(["plan", "add", file, "--from", "1.4.0", "--to", "1.5.0"])
            #expect(draft.code == FleetFixture.Exit.refused.rawValue, "\(draft)")
            #expect(draft.errors.contains("is still to be written; write its URL, ticket or commit"), "\(draft)")
            try text.replacing("TO BE WRITTEN", with: "CHANGE-7").write(toFile: file, atomically: true, encoding: .utf8)
            let added = try await fleet.expect(
                .verified, "plan", "add", file, "--from", "1.4.0", "--to", "1.5.0", "--json")
            let digest = try #require(try added.document().value(at: "/digest")?.scalarText)
            let owners = fleet.lab.layout.layers.flatMap { ["--as", "\($0)-owner"] }
            #expect(
                try await fleet.run(["plan", "approve", digest] + owners).code == FleetFixture.Exit.verified.rawValue)
            try await fleet.expect(.verified, "rollout", "start", digest)
        }
    }

    /// The release brings another check with it, and nobody asks that one.
    @Test func aScriptThatComesWithThePlanJudgesWhateverTheCheckoutSays() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            let script = "\(fleet.folder)/judge.sh"
            try """
            [ -e verdict ] && { cat verdict; exit 1; }
            echo fine
            """.write(toFile: script, atomically: true, encoding: .utf8)
            try await fleet.approvePlan(to: "1.5.0") { plan in
                plan.replacing(
                    "evidence:\n",
                    with:
                        "files: [judge.sh]\nevidence:\n  - {name: judge, command: {run: [sh, \"${file.judge.sh}\"]}}\n",
                    maxReplacements: 1)
            }
            #expect(try await fleet.run(["plan", "show", "lab-1.5.0"]).output.contains("carries  judge.sh  "))
            // It is stored with the plan.
            try FileManager.default.removeItem(atPath: script)
            try await fleet.expect(.verified, "inventory", "check")
            let place = try fleet.lab.host("core-1").workingDirectory
            try "spoiled\n".write(toFile: "\(place)/verdict", atomically: true, encoding: .utf8)
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            #expect(try await fleet.holdCode() == "baseline-unhealthy")
            let shown = try await fleet.run(["evidence", "show", "--host", "core-1"]).output
            #expect(shown.contains("spoiled"), "\(shown)")
            try FileManager.default.removeItem(atPath: "\(place)/verdict")
            try await fleet.expect(.verified, "rollout", "resume")
        }
    }

    @Test func theOutputOfAFailedCheckIsShownWithTheHold() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            let script = "./scripts/verify_runtime_materialization.py"
            let check = "run: [python3, -IS, \(script), --check, --layer, \"${layer}\"]"
            let own =
                "run: [sh, -c, 'grep -q 1.5.0 layers/core/current/* || exit 0; echo looked; echo it differs >&2; exit 3']"
            try await fleet.approvePlan(to: "1.5.0") { plan in
                #expect(plan.contains(check))
                return plan.replacing(check, with: own).replacing(
                    "healthyWithinSeconds: 8", with: "healthyWithinSeconds: 2")
            }
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            #expect(try await fleet.holdCode() == "materialization-failed")
            #expect(
                try await fleet.status().value(at: "/hold/output")
                    == .array([.string("looked"), .string("it differs")]))
            for command in [["status"], ["recover"], ["evidence", "show", "--host", "core-1"]] {
                let text = try await fleet.run(command).output
                #expect(text.contains("looked\n") && text.contains("it differs\n"), "\(command): \(text)")
            }
        }
    }

    @Test func anExportedBundleVerifiesItselfAndNamesTheFirstForgery() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "test")
            let file = "\(fleet.folder)/bundle.json"
            try await fleet.expect(.verified, "evidence", "export", "--output", file)
            // Reading it needs no ledger.
            let elsewhere = "\(fleet.folder)/nowhere/ledger.sqlite"
            let proved = try await fleet.expect(.verified, "evidence", "verify", file, "--ledger", elsewhere)
            #expect(proved.output.contains("sound"))
            #expect(!FileManager.default.fileExists(atPath: elsewhere))
            let text = try String(contentsOfFile: file, encoding: .utf8)
            // Earlier builds included the possible next commands in the conclusions.
            let older = "\(fleet.folder)/older.json"
            try EvidenceTests.withAdvice(text).write(toFile: older, atomically: true, encoding: .utf8)
            try await fleet.expect(.verified, "evidence", "verify", older)
            try EvidenceTests.withLastingRepairs(text).write(toFile: older, atomically: true, encoding: .utf8)
            try await fleet.expect(.verified, "evidence", "verify", older)
            // It contains the redeploy's own output, not only its exit code.
            #expect(text.contains("core: moving to 1.5.0"))
            for (from, to, place) in EvidenceTests.forgeries {
                #expect(text.contains(from), "nothing to forge: \(from)")
                let range = try #require(text.range(of: from))
                let forged = "\(fleet.folder)/forged.json"
                try text.replacingCharacters(in: range, with: to).write(
                    toFile: forged, atomically: true, encoding: .utf8)
                let refused = try await fleet.run(["evidence", "verify", forged])
                #expect(refused.code == 70, "\(from) -> \(to) was not noticed")
                #expect(refused.errors.contains("failed verification at \(place)"), "\(refused.errors)")
            }
        }
    }

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

    /// A database has no page of services: its layer is compared by a port instead, under the same name.
    @Test func aLayerIsComparedByItsOwnEvidenceAndTheOthersByThePlans() async throws {
        try await FleetFixture.with(.standard(hosts: 3)) { fleet in
            let port = try fleet.lab.host("data-1").sshPort
            try await fleet.approvePlan(to: "1.5.0") { plan in
                plan.replacing(
                    "  - name: data\n",
                    with: """
                          - name: data
                            evidence:
                              - name: services
                                tcp: {port: \(port), address: "${address}", banner: SSH-2.0-}
                                read: {shape: value}

                        """)
            }
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            let data = try await fleet.expect(.verified, "evidence", "show", "--host", "data-1").output
            #expect(data.contains("SSH-2.0-OpenSSH") && !data.contains("ingest"), "\(data)")
            let core = try await fleet.expect(.verified, "evidence", "show", "--host", "core-1").output
            #expect(!core.contains("SSH-2.0-OpenSSH") && core.contains("ingest"), "\(core)")
        }
    }
}
