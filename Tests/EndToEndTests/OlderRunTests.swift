import ContentDigest
import Glibc
import LabFleet
import Ledger
import Testing
import UpgradeDomain

/// A run that an older build started and that the current rules would not allow to start.
struct OlderRunTests {
    @Test func aRunThatBreaksRulesNeedsAReasonToGoForwardButNotToGoBack() async throws {
        try await FleetFixture.with(.standard(hosts: 3)) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await startUnchecked(fleet) { plan in plan.layers[1].worksWith = ["data": ["1.4.0"]] }
            let rule = "layer core meets data 1.5.0 during the run, but is not declared to work with it"

            let first = try await fleet.expect(.held, "rollout", "resume")
            #expect(first.errors.contains("it breaks a rule of this build: \(rule)"), "\(first)")
            #expect(first.errors.contains("so it is paused, and goes forward with --reason"), "\(first)")
            #expect(try await fleet.status().value(at: "/status")?.scalarText == "paused")
            let sequence = try await fleet.sequence()
            for empty in [[], ["--reason", ""]] {
                let refused = try await fleet.run(["rollout", "resume"] + empty)
                #expect(refused.code == FleetFixture.Exit.refused.rawValue)
                #expect(refused.errors.contains("breaks rules of this build: \(rule)"), "\(refused)")
                #expect(refused.errors.contains("Nothing was recorded. With --reason it goes forward"), "\(refused)")
            }
            #expect(try await fleet.sequence() == sequence)
            for host in fleet.lab.hosts {
                for layer in host.layers { #expect(try await fleet.version(host.name, layer) == "1.4.0") }
            }

            let forward = try await fleet.expect(.verified, "rollout", "resume", "--reason", "core works with both")
            #expect(forward.errors.contains(rule), "\(forward)")
            #expect(try await fleet.expect(.verified, "events", "--json").output.contains("core works with both"))
            try await fleet.expect(
                .rolledBackVerified, "rollback", "--all", "--as", "data-owner", "--as", "core-owner", "--as",
                "edge-owner")
        }
    }

    /// With the reason at once, a run whose driver was lost goes forward without a pause.
    @Test func aReasonGivenAtOnceTakesALostDriversRunForward() async throws {
        try await FleetFixture.with(.standard(hosts: 3)) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await startUnchecked(fleet) { plan in plan.layers[1].worksWith = ["data": ["1.4.0"]] }
            try await fleet.lab.inject(.redeployHangs, on: "data-1", target: "1.5.0")
            try await fleet.withRunning("rollout", "resume", "--reason", "core works with both") { process in
                try await fleet.wait(for: "the redeploy to begin") { try fleet.journal(of: "data-1").count == 1 }
                kill(process, SIGKILL)
            }
            try await fleet.lab.mend("data-1")
            let forward = try await fleet.expect(.verified, "rollout", "resume", "--reason", "still true")
            #expect(forward.errors.contains("it breaks a rule of this build"), "\(forward)")
            for host in fleet.lab.hosts { #expect(try fleet.journal(of: host.name).count == 1) }
        }
    }

    /// Starts a run as its command does, without the rules.
    private func startUnchecked(_ fleet: FleetFixture, _ change: (inout Plan) -> Void) async throws {
        let ledger = try await Ledger.openExisting(at: "\(fleet.folder)/ledger.sqlite")
        let inventory = try #require(try await ledger.currentInventory())
        var plan = try await ledger.plan(matching: "lab-1.5.0").plan
        change(&plan)
        let now = try #require(WallTime(rfc3339: "2026-11-20T12:00:00Z"))
        let digest = try await ledger.addPlan(plan, at: now)
        let hosts = plan.selectedHosts(of: inventory)
        let hostsDigest = try Digest.canonical(of: hosts)
        let approvals = inventory.layers.flatMap(\.owners).map { owner in
            Approval(owner: owner, planDigest: digest, hostsDigest: hostsDigest, claimedBy: "ops", approvedAt: now)
        }
        for approval in approvals { try await ledger.approve(approval) }
        _ = try await ledger.startRun(
            RunDefinition(
                run: "r-older2", ledger: ledger.id, plan: plan, planDigest: digest, hosts: hosts,
                hostsDigest: hostsDigest, approvals: approvals,
                owners: Dictionary(inventory.layers.map { ($0.name, $0.owners) }) { first, _ in first }),
            by: "ops", at: now)
    }
}
