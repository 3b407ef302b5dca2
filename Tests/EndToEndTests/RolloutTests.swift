import Foundation
import LabFleet
import Subprocess
import SystemPackage
import Testing
import UpgradeDomain

/// Tests complete rollouts over real sshd hosts.
struct RolloutTests {
    @Test func aFleetIsUpgradedLayerByLayerToVerified() async throws {
        try await FleetFixture.with(.standard(hosts: 8)) { fleet in
            try await fleet.expect(.verified, "inventory", "check")
            let check = try await fleet.expect(.verified, "inventory", "check", "--json", "--log-level", "debug")
            #expect(throws: Never.self) { try check.document() }
            #expect(check.errors.contains(" debug logging in address="), "\(check.errors)")
            try await fleet.approvePlan(to: "1.5.0")
            let log = "\(fleet.folder)/run.log"
            let run = try await fleet.expect(
                .verified, "rollout", "start", "lab-1.5.0", "--log-level", "debug", "--log-file", log)
            #expect(!run.output.contains("epoch="))
            let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
            #expect(lines.contains { $0.contains(" debug committed purpose=") })
            for host in fleet.lab.hosts {
                for what in [
                    " info connected ", " debug effect started effect=start ",
                    " debug a phase of the connection began ", " debug logged in ",
                ] {
                    #expect(
                        lines.contains { $0.contains(what) && $0.contains(" epoch=1 host=\(host.name) ") },
                        "\(host.name):\(what)")
                }
            }
            for host in fleet.lab.hosts {
                for layer in host.layers { #expect(try await fleet.version(host.name, layer) == "1.5.0") }
                #expect(try fleet.journal(of: host.name).count == 1)
            }
            try await fleet.expect(.verified, "rollout", "finalize")
            try await fleet.expect(.refused, "rollback", "--all")
            try await fleet.expect(.verified, "ledger", "verify")
            try await statusIsTheSameFromItsOverviewAndFromTheEvents(fleet)
        }
    }

    private func statusIsTheSameFromItsOverviewAndFromTheEvents(_ fleet: FleetFixture) async throws {
        let copy = "\(fleet.folder)/without-overview.sqlite"
        try await fleet.expect(.verified, "backup", copy)
        let kept = try await fleet.expect(.verified, "status", "--json").output
        let edit = "db = sqlite3.connect(sys.argv[1]); print(db.execute(sys.argv[2]).rowcount); db.commit()"
        for change in ["UPDATE run_overviews SET document = CAST(hex(1) AS BLOB)", "DELETE FROM run_overviews"] {
            let changed = try await fleet.runVerbatim(
                "python3 -c 'import sqlite3, sys; \(edit)' '\(copy)' '\(change)'")
            #expect(changed.output == "1\n", "the driver left an overview: \(changed)")
            #expect(try await fleet.expect(.verified, "status", "--json", "--ledger", copy).output == kept)
        }
    }

    @Test func aFailedHostIsRolledBackWithProofAndTheRunGoesOn() async throws {
        try await FleetFixture.with(.standard(hosts: 8)) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-2", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            #expect(try await fleet.holdCode() == "evidence-regressed")
            try await fleet.expect(.refused, "rollout", "resume")
            // A narrower recovery is possible, so a rollback needs a reason.
            try await fleet.expect(.refused, "rollback", "--host", "core-2")
            let page = "\(fleet.folder)/boundary.md"
            try await fleet.expect(.held, "recover", "--output", page)
            let text = try String(contentsOfFile: page, encoding: .utf8)
            for part in [
                "**evidence-regressed** (failed)", "| services | store | up | down | regressed |", "core-owner",
            ] {
                #expect(text.contains(part), "not in the boundary record: \(part)\n\(text)")
            }
            try await fleet.expect(.rolledBackVerified, "rollback", "--host", "core-2", "--reason", "store is damaged")
            #expect(try await fleet.version("core-2", "core") == "1.4.0")
            let view = try await fleet.run(["status"]).output
            #expect(view.contains("mixed"))
            try await fleet.lab.mend("core-2")
            try await fleet.expect(.verified, "rollout", "resume")
            for host in fleet.lab.hosts {
                for layer in host.layers { #expect(try await fleet.version(host.name, layer) == "1.5.0") }
            }
        }
    }

    @Test func aHostThatIsLostInABatchOfOneHoldsTheRun() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await fleet.wait(for: "data-1 to move") { try await fleet.version("data-1", "data") == "1.5.0" }
                    try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
                }
                try await fleet.expect(.unreachable, "rollout", "start", "lab-1.5.0")
                try await group.waitForAll()
            }
            #expect(try await fleet.holdCode() == "host-unreachable")
            #expect(try await fleet.version("core-1", "core") == "1.4.0")
            #expect(try await fleet.version("edge-1", "edge") == "1.4.0")
        }
    }

    /// Each layer of the host has a checkout of its own, without what belongs to the other.
    @Test func twoStacksOnOneHostAreUpgradedAndRolledBackInOneRun() async throws {
        let layout = LabLayout(layers: ["core", "edge"], members: [.init("both-1", layers: ["core", "edge"])])
        try await FleetFixture.with(layout) { fleet in
            let host = try fleet.lab.host("both-1")
            let (first, second) = (host.workingDirectory, "\(host.root)/second")
            let split = try await fleet.runVerbatim(
                """
                set -e; cp -a '\(first)' '\(second)'; cd '\(second)'
                bash scripts/redeploy-host-stack.sh --layer edge --to 1.4.0
                rm -r '\(first)/layers/edge' layers/core
                sed -i "s|edge: {|edge: {workingDirectory: '\(second)', |" '\(fleet.lab.inventoryPath)'
                """)
            try #require(split.code == 0, "\(split)")
            try await fleet.expect(.verified, "inventory", "import", fleet.lab.inventoryPath)
            try await fleet.expect(.verified, "inventory", "check")
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            for layer in host.layers { #expect(try await fleet.version("both-1", layer) == "1.5.0") }
            // What a rollback needs was kept in both places.
            for place in [first, second] {
                try "exit 9\n".write(
                    toFile: "\(place)/scripts/rollback-host-stack.sh", atomically: true, encoding: .utf8)
            }
            try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "a test")
            for layer in host.layers { #expect(try await fleet.version("both-1", layer) == "1.4.0") }
        }
    }

    @Test func aSourceVersionThatIsNotThePlansIsRefused() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.6.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.6.0")
            #expect(try await fleet.holdCode() == "source-version-mismatch")
            for host in fleet.lab.hosts { #expect(try fleet.journal(of: host.name).isEmpty) }
        }
    }

    @Test func aChangedPlanOrHostVoidsTheApproval() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            let changed = "\(fleet.folder)/changed.yaml"
            try String(contentsOfFile: fleet.lab.planPath(to: "1.5.0"), encoding: .utf8)
                .replacingOccurrences(of: "soakSeconds: 2", with: "soakSeconds: 3")
                .write(toFile: changed, atomically: true, encoding: .utf8)
            let added = try await fleet.expect(.verified, "plan", "add", changed, "--json")
            let digest = try #require(try added.document().value(at: "/digest")?.scalarText)
            let refused = try await fleet.expect(.refused, "rollout", "start", digest)
            #expect(refused.errors.contains("void"))
            #expect(refused.errors.contains("the plan changed"))
            for host in fleet.lab.hosts { #expect(try fleet.journal(of: host.name).isEmpty) }
        }
    }

    @Test func anApprovalServesOneRunAndIsGivenBackByOneThatChangedNothing() async throws {
        let single = LabLayout(layers: ["core"], members: [.init("core-1", layers: ["core"])])
        try await FleetFixture.with(single) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.guardrailRefuses, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.verified, "rollout", "cancel")
            try await fleet.lab.mend("core-1")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.rolledBackVerified, "rollback", "--host", "core-1")
            try await fleet.expect(.verified, "rollout", "finalize")
            let refused = try await fleet.expect(.refused, "rollout", "start", "lab-1.5.0")
            #expect(refused.errors.contains("the approval by core-owner was used by r-"))
            #expect(refused.errors.contains("next: lockflight plan approve"))
            let shown = try await fleet.expect(.verified, "plan", "show", "lab-1.5.0")
            #expect(shown.output.contains("used: the approval by core-owner has served r-"))
            try await fleet.expect(
                .verified, "plan", "approve", "lab-1.5.0", "--as", "core-owner", "--runs", "2", "--valid-hours", "1")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
        }
    }

    @Test func oneHostInAllLayersMovesAndGoesBackTopDown() async throws {
        let single = LabLayout(
            layers: ["data", "core", "edge"], members: [.init("box-1", layers: ["data", "core", "edge"])])
        try await FleetFixture.with(single) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            for layer in ["data", "core", "edge"] as [LayerName] {
                #expect(try await fleet.version("box-1", layer) == "1.5.0")
            }
            try await fleet.expect(.rolledBackVerified, "rollback", "--host", "box-1")
            for layer in ["data", "core", "edge"] as [LayerName] {
                #expect(try await fleet.version("box-1", layer) == "1.4.0")
            }
            let events = try await fleet.run(["events"]).output
            let order = ["edge", "core", "data"].compactMap {
                events.range(of: "started r-\(runSuffix(events)).box-1.\($0).rollback!")?.lowerBound
            }
            #expect(order.count == 3)
            #expect(order == order.sorted())
        }
    }

    private func runSuffix(_ events: String) -> String {
        guard let range = events.range(of: #"r-[a-z0-9]{6}\."#, options: .regularExpression) else { return "?" }
        return String(events[range].dropFirst(2).dropLast())
    }

    @Test func aRollbackGoesOnPastAHostThatFails() async throws {
        let layout = LabLayout(
            layers: ["core"], members: (1...3).map { .init(HostName("core-\($0)"), layers: ["core"]) })
        try await FleetFixture.with(layout) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.rollbackFails, on: "core-2", target: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.rolledBackNotVerified, "rollback", "--all")
            #expect(try await fleet.version("core-1", "core") == "1.4.0")
            #expect(try await fleet.version("core-2", "core") == "1.5.0")
            #expect(try await fleet.version("core-3", "core") == "1.4.0")
        }
    }

    @Test func aHostWithANewKeyRejoinsTheRunOnlyDeliberately() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.redeployFails, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            try await fleet.lab.mend("core-1")
            try await fleet.lab.inject(.hostKeyChanged, on: "core-1", target: "1.5.0")
            try await fleet.expect(
                .notRecovered, "recover", "rerun", "core-1", "--sign-off", "core-owner", "--reason", "x")
            // Nothing was sent to the machine that answers there now.
            #expect(try fleet.journal(of: "core-1").count == 1)

            let host = try fleet.lab.host("core-1")
            let scanned = "\(fleet.folder)/scanned"
            let scan = try await fleet.runVerbatim("ssh-keyscan -p 2222 \(host.address) > \(scanned)")
            #expect(scan.code == 0)
            try await fleet.expect(.refused, "inventory", "trust", "core-1", "--known-hosts", scanned)
            try await fleet.expect(.verified, "inventory", "trust", "core-1", "--known-hosts", scanned, "--replace")
            try await fleet.expect(.verified, "rollout", "rebind", "--host", "core-1", "--reason", "new key")
            try await fleet.expect(
                .verified, "recover", "rerun", "core-1", "--sign-off", "core-owner", "--reason", "x")
            try await fleet.expect(.verified, "rollout", "resume")
            #expect(try await fleet.version("core-1", "core") == "1.5.0")
        }
    }

    /// A lab's plan with other steps for the layer core.
    private static func plan(_ text: String, core steps: String) -> String {
        text.replacing("  - name: core\n", with: "  - name: core\n    steps:\n" + steps)
    }

    @Test func passedStepsRunAgainFromTheNamedOneAfterAFailedVerification() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0") {
                RolloutTests.plan(
                    $0,
                    core: """
                              - {name: migrate, idempotent: true, run: [sh, -c, "echo migrated >> migrations"], timeoutSeconds: 5}
                              - name: redeploy
                                idempotent: true
                                run: [bash, ./scripts/redeploy-host-stack.sh, --layer, core, --to, "1.5.0"]
                                timeoutSeconds: 20

                        """)
            }
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            #expect(try await fleet.holdCode() == "evidence-regressed")
            let ways = try await fleet.run(["recover"]).output
            #expect(ways.contains("run step redeploy again after the guardrails: declared idempotent"), "\(ways)")
            try await fleet.expect(.refused, "recover", "rerun", "core-1", "--from", "backup", "--as", "core-owner")
            try await fleet.expect(.refused, "recover", "rerun", "core-1", "--from", "migrate")
            try await fleet.lab.mend("core-1")
            try await fleet.expect(
                .verified, "recover", "rerun", "core-1", "--from", "migrate", "--as", "core-owner",
                "--reason", "the schema was half done")
            let names = try fleet.journal(of: "core-1")
            #expect(names.filter { $0.hasSuffix(".2") }.count == 2, "\(names)")
            let migrations = try String(
                contentsOfFile: "\(fleet.lab.host("core-1").root)/stack/migrations", encoding: .utf8)
            #expect(migrations == "migrated\nmigrated\n")
            try await fleet.expect(.verified, "rollout", "resume")
            #expect(try await fleet.version("core-1", "core") == "1.5.0")
            let events = try await fleet.run(["events"]).output
            #expect(events.contains("a rerun on core-1 from step migrate"), "\(events)")
        }
    }

    /// The end of a failed script's output is where people look for the reason of a hold.
    private func everyViewShows(_ line: String, of fleet: FleetFixture, run: String) async throws {
        #expect(run.contains(line), "\(run)")
        let page = "\(fleet.folder)/boundary.md"
        try await fleet.expect(.held, "recover", "--output", page)
        #expect(try String(contentsOfFile: page, encoding: .utf8).contains(line))
        for view in [
            ["status"], ["status", "--json"], ["recover"], ["recover", "--json"], ["report"],
            ["report", "--format", "html"],
        ] {
            let shown = try await fleet.run(view).output
            #expect(shown.contains(line), "\(view): \(shown)")
        }
    }

    @Test func aWrongPlanIsReplacedByASuccessor() async throws {
        try await FleetFixture.with { fleet in
            // The wrong plan: it names a release of core that does not exist.
            try await fleet.approvePlan(to: "1.5.0") {
                RolloutTests.plan(
                    $0,
                    core: """
                              - name: redeploy
                                run: [bash, ./scripts/redeploy-host-stack.sh, --layer, core, --to, "9.9.9"]
                                timeoutSeconds: 20

                        """)
            }
            let shown = try await fleet.expect(.held, "rollout", "start", "lab-1.5.0").output
            let old = try #require(try await fleet.status().value(at: "/run")?.scalarText)
            #expect(try await fleet.holdCode() == "step-failed")
            try await everyViewShows("release 9.9.9 is not on this host", of: fleet, run: shown)
            try await fleet.approvePlan(to: "1.5.0") {
                $0.replacingOccurrences(of: "name: lab-1.5.0", with: "name: right")
            }
            try await fleet.expect(.verified, "rollout", "start", "right", "--succeeds", old)
            let placements = try await fleet.status()
            #expect(placements.value(at: "/placements/0/adopted") == .bool(true))
            #expect(try fleet.journal(of: "data-1").count == 1)
            let before = try await fleet.run(["status", old])
            #expect(before.output.contains("superseded by"))
        }
    }
}
