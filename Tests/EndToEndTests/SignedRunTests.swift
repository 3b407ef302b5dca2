import Approvals
import ContentDigest
import Foundation
import LabFleet
import Subprocess
import Testing
import UpgradeDomain

/// Runs that a policy rules, with real keys, and hold points in both kinds of run.
struct SignedRunTests {
    private static let owners = ["data-owner", "core-owner", "edge-owner"]

    @Test func twoPeopleOfEachLayerSignARunToVerified() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.storePolicy(threshold: 2)
            let plan = try await fleet.addPlan(to: "1.5.0")
            let bare = try await fleet.expect(.refused, "rollout", "start", "lab-1.5.0")
            #expect(bare.errors.contains("layer data needs approvals by 2 of data-owner, deputy"), "\(bare)")
            #expect(bare.errors.contains("next: lockflight plan approve"), "\(bare)")
            try await fleet.approve(plan, as: "data-owner", "core-owner", "edge-owner")
            let half = try await fleet.expect(.refused, "rollout", "start", "lab-1.5.0")
            #expect(half.errors.contains("given by data-owner"), "\(half)")
            // A key that is not theirs does not count, and nothing is stored.
            let stranger = try await fleet.run(
                ["plan", "approve", plan, "--as", "deputy", "--key", fleet.key("night")])
            #expect(stranger.code == FleetFixture.Exit.refused.rawValue, "\(stranger)")
            try await fleet.withAgent(holding: "deputy") { environment in
                let approved = try await fleet.execute(
                    [FleetFixture.executable, "plan", "approve", plan, "--as", "deputy"], environment)
                #expect(
                    approved.code == 0 && approved.output.contains("approved by deputy (signed, statement "),
                    "\(approved)")
            }
            let shown = try await fleet.expect(.verified, "plan", "show", plan)
            #expect(shown.output.contains("approved by data-owner, deputy (signed)"), "\(shown)")
            // A run that died before its first change holds the approvals: no second one is started with them.
            let died = try await fleet.run(["rollout", "start", "lab-1.5.0"], failpoint: "leaseTaken")
            #expect(died.code != 0, "\(died)")
            let second = try await fleet.expect(.refused, "rollout", "start", "lab-1.5.0")
            #expect(second.errors.contains("it is held for r-") && second.errors.contains(", still open"), "\(second)")
            #expect(second.errors.contains("next: lockflight status r-"), "\(second)")
            try await fleet.expect(.verified, "rollout", "resume")
            let events = try await fleet.run(["events"]).output
            #expect(
                events.contains("approved by core-owner, data-owner, deputy, edge-owner (signed, policy version 1)"),
                "\(events)")
            let again = try await fleet.expect(.refused, "rollout", "start", "lab-1.5.0")
            #expect(again.errors.contains("data needs approvals by 2"), "\(again)")
            #expect(again.errors.contains(": it was used by r-"), "\(again)")
            let list = try await fleet.expect(.verified, "approval", "list", plan)
            #expect(list.output.contains("signed by deputy; it was used by r-"), "\(list)")
            try await fleet.expect(.verified, "ledger", "verify")
            let report = try await fleet.expect(.verified, "report")
            #expect(report.output.contains("signed, statement"), "\(report)")
        }
    }

    @Test func aTextIsSignedElsewhereAndItsSignatureIsPasted() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.storePolicy()
            let plan = try await fleet.addPlan(to: "1.5.0")
            let asked = try await fleet.expect(.verified, "approval", "request", plan, "--print")
            #expect(asked.output.hasPrefix("{\"action\":\"upgrade\"") && asked.output.hasSuffix("}"), "\(asked)")
            let listed = try await fleet.expect(.verified, "approval", "list")
            #expect(listed.output.contains("it is not signed yet"), "\(listed)")
            let pasted = "\(fleet.folder)/pasted"
            // An editor has added a line end.
            try await fleet.sign(asked.output + "\n", for: .approve, with: "core-owner")
                .write(toFile: pasted, atomically: true, encoding: .utf8)
            let edited = try await fleet.expect(.refused, "approval", "add", pasted)
            #expect(edited.errors.contains("and a line end after it"), "\(edited)")
            // Another namespace.
            try await fleet.sign(asked.output, for: .recover, with: "core-owner")
                .write(toFile: pasted, atomically: true, encoding: .utf8)
            let misused = try await fleet.expect(.refused, "approval", "add", pasted)
            #expect(misused.errors.contains("but for 'recover.v1@lockflight', and it is for 'approve.v1"), "\(misused)")
            // Another text: a statement of another kind says nothing about it.
            let id = try #require(
                try await fleet.run(["approval", "list", "--json"]).document().value(at: "/0/statement/id")?.scalarText)
            try await fleet.expect(.held, "approval", "revoke", id, "--as", "deputy")
            try await fleet.sign(
                asked.output.replacing("\"runs\":1", with: "\"runs\":2"), for: .approve, with: "core-owner"
            )
            .write(toFile: pasted, atomically: true, encoding: .utf8)
            let changed = try await fleet.expect(.refused, "approval", "add", pasted)
            #expect(changed.errors.contains("it is over another text, or damaged"), "\(changed)")
            // Somebody who owns none of its layers.
            try await fleet.sign(asked.output, for: .approve, with: "night")
                .write(toFile: pasted, atomically: true, encoding: .utf8)
            let stranger = try await fleet.expect(.refused, "approval", "add", pasted)
            #expect(stranger.errors.contains("night may not give the approval of the upgrade"), "\(stranger)")
            var text = "Hello,\n"
            for name in Self.owners { text += try await fleet.sign(asked.output, for: .approve, with: name) + "\n" }
            try text.write(toFile: pasted, atomically: true, encoding: .utf8)
            let added = try await fleet.runVerbatim("lockflight approval add < \(pasted)")
            #expect(added.code == 0 && added.errors.contains("beside the signatures"), "\(added)")
            #expect(added.output.contains("signed by core-owner, data-owner, edge-owner; it counts"), "\(added)")
            #expect(added.errors.contains("next: lockflight rollout start lab-1.5.0"), "\(added)")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
        }
    }

    @Test func aRunWaitsAtAHoldPointUntilItIsOpenedFromAnotherTerminal() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.storePolicy()
            let plan = try await fleet.addPlan(to: "1.5.0") { $0 + "\nholdPoints: [core]\n" }
            try await fleet.approve(plan, as: "data-owner", "edge-owner")
            let shown = try await fleet.expect(.verified, "plan", "show", plan)
            #expect(shown.output.contains("the run waits for approval before layer core"), "\(shown)")
            let driven = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { _ in
                try await waits(fleet, before: "layer core")
                #expect(try await fleet.version("core-1", "core") == "1.4.0")
                let status = try await fleet.run(["status"])
                #expect(status.output.contains("approved  by data-owner, edge-owner (signed)"), "\(status)")
                #expect(
                    status.output.contains("for an approval before layer core: asked core-owner, deputy since"),
                    "\(status)")
                #expect(status.output.contains("lockflight plan approve"), "\(status)")
                let owner = ["--as", "core-owner", "--key", fleet.key("core-owner")]
                let other = try await fleet.run(["plan", "approve", plan] + owner)
                #expect(
                    other.output.contains(
                        "still waits before layer core: this approval does not name that hold point; use --at core"),
                    "\(other)")
                #expect(other.errors.contains("--at core"), "\(other)")
                let later = try await fleet.run(
                    ["plan", "approve", plan, "--at", "core", "--not-before", "2999-01-01T00:00:00Z"] + owner)
                #expect(later.output.contains("this approval counts from 2999-01-01T00:00:00Z on"), "\(later)")
                let stranger = try await fleet.run(
                    ["plan", "approve", plan, "--as", "night", "--key", fleet.key("night"), "--at", "core"])
                #expect(stranger.errors.contains("night may not give the approval of the upgrade"), "\(stranger)")
                #expect(stranger.errors.contains("These people may: core-owner, deputy."), "\(stranger)")
                let opened = try await fleet.run(
                    ["plan", "approve", plan, "--as", "core-owner", "--key", fleet.key("core-owner"), "--at", "core"])
                #expect(opened.code == 0 && opened.output.contains("has recorded it"), "\(opened)")
            }
            #expect(driven.code == FleetFixture.Exit.verified.rawValue, "\(driven)")
            #expect(driven.output.contains("waits for an approval before layer core"), "\(driven)")
            let listed = try await fleet.expect(.verified, "approval", "list", plan)
            #expect(listed.output.contains("it was recorded by r-"), "\(listed)")
            // Its hosts are held by that run: another plan can be approved, and is not started yet.
            let next = try await fleet.addPlan(to: "1.5.0") { $0.replacing("name: lab-1.5.0", with: "name: lab-again") }
            let approved = try await fleet.run(
                ["plan", "approve", next, "--as", "deputy", "--key", fleet.key("deputy")])
            #expect(approved.errors.contains("next: lockflight status r-"), "\(approved)")
        }
    }

    /// Whoever signs, it does not count: the policy must say who the author is.
    @Test func aRuleThatNobodyCanKeepLeadsToThePolicy() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.storePolicy(notAuthor: true)
            let plan = try await fleet.addPlan(to: "1.5.0")
            let approved = try await fleet.run(
                ["plan", "approve", plan, "--as", "core-owner", "--key", fleet.key("core-owner")])
            #expect(approved.output.contains("which no person of the policy has"), "\(approved)")
            #expect(approved.errors.contains("next: lockflight policy init"), "\(approved)")
        }
    }

    @Test func anApprovalOfARunThatNobodyDrivesSaysHowItGoesOn() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.storePolicy()
            let plan = try await fleet.addPlan(to: "1.5.0") { $0 + "\nholdPoints: [run]\n" }
            try await fleet.withRunning("rollout", "start", "lab-1.5.0") { process in
                try await waits(fleet, before: "the first change")
                kill(process, SIGKILL)
            }
            let opened = try await fleet.run(
                ["plan", "approve", plan, "--as", "core-owner", "--key", fleet.key("core-owner"), "--at", "run"])
            #expect(opened.output.contains("nobody drives r-"), "\(opened)")
            #expect(opened.errors.contains("next: lockflight rollout resume"), "\(opened)")
            try await fleet.expect(.verified, "rollout", "resume")
        }
    }

    @Test func aReleaseIsSignedInTheSpellingThatIsVerified() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.makeKey("builder")
            let manifest = "\(fleet.folder)/release.sha256"
            let digest = String(repeating: "0a", count: 32)
            try "\(digest) *b\n\(digest)  ./a\n".write(toFile: manifest, atomically: true, encoding: .utf8)
            let text = try await fleet.expect(.verified, "release", "sign", manifest).output
            #expect(text == "\(digest)  a\n\(digest)  b\n")
            let signed = try await fleet.expect(
                .verified, "release", "sign", manifest, "--key", fleet.key("builder"))
            #expect(signed.output.contains("lists 2 files"), "\(signed)")
            try text.write(toFile: "\(fleet.folder)/signed", atomically: true, encoding: .utf8)
            let verified = try await fleet.execute(
                [
                    "sh", "-c",
                    "ssh-keygen -Y check-novalidate -n release.v1@lockflight -s \(manifest).sig < \(fleet.folder)/signed",
                ], fleet.environment)
            #expect(verified.code == 0, "\(verified)")
            try "no digest\n".write(toFile: manifest, atomically: true, encoding: .utf8)
            let refused = try await fleet.expect(.refused, "release", "sign", manifest)
            #expect(refused.errors.contains("line 1"), "\(refused)")
        }
    }

    @Test func aClaimOpensAHoldPointWhereNoPolicyExists() async throws {
        try await FleetFixture.with { fleet in
            let plan = try await fleet.addPlan(to: "1.5.0") { $0 + "\nholdPoints: [run]\n" }
            let driven = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { _ in
                try await waits(fleet, before: "the first change")
                let stranger = try await fleet.run(["plan", "approve", plan, "--as", "eve", "--at", "run"])
                #expect(stranger.code == FleetFixture.Exit.refused.rawValue, "\(stranger)")
                for owner in Self.owners {
                    // A run that was started before the policy goes on by its own rules.
                    if owner == Self.owners.last { try await fleet.storePolicy() }
                    let opened = try await fleet.run(["plan", "approve", plan, "--as", owner, "--at", "run"])
                    #expect(opened.code == 0 && opened.output.contains("claimed by OS user "), "\(opened)")
                }
            }
            #expect(driven.code == FleetFixture.Exit.verified.rawValue, "\(driven)")
            let events = try await fleet.run(["events"]).output
            #expect(events.contains("core-owner, claimed by OS user ") && events.contains(", unsigned"), "\(events)")
        }
    }

    @Test func theForwardStatementCoversARollbackAndOnCallARerun() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.storePolicy()
            let plan = try await fleet.addPlan(to: "1.5.0")
            try await fleet.approve(plan, as: "data-owner", "core-owner", "edge-owner")
            try await fleet.lab.inject(.redeployFails, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            try await fleet.lab.mend("core-1")
            let bare = try await fleet.run(["recover", "rerun", "core-1", "--sign-off", "night", "--reason", "x"])
            #expect(bare.code == FleetFixture.Exit.refused.rawValue, "\(bare)")
            #expect(bare.errors.contains("no key of night is at hand"), "\(bare)")
            #expect(bare.errors.contains("next: lockflight recover approve rerun core-1 --run r-"), "\(bare)")
            let permitted = try await fleet.run(
                ["recover", "approve", "rerun", "core-1", "--as", "night", "--key", fleet.key("night")])
            #expect(permitted.code == 0 && permitted.output.contains("signed by night"), "\(permitted)")
            let rerun = try await fleet.run(["recover", "rerun", "core-1", "--sign-off", "night", "--reason", "disk"])
            #expect(rerun.code == 0, "\(rerun)")
            // At 03:00 nobody needs to be woken up.
            try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "it is slow")
            try await fleet.expect(.verified, "rollout", "finalize")
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func aRevokedApprovalStartsNothingAndARollbackThatIsNotCoveredIsSignedElsewhere() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.storePolicy()
            let plan = try await fleet.addPlan(to: "1.5.0")
            let uncovered = ["--rollback-hours", "0"]
            try await fleet.approve(plan, as: "data-owner", "core-owner", "edge-owner", options: uncovered)
            let listed = try await fleet.expect(.verified, "approval", "list", "--json").document()
            let id = try #require(listed.value(at: "/1/statement/id")?.scalarText)
            let revoked = try await fleet.run(
                ["approval", "revoke", id, "--as", "deputy", "--key", fleet.key("deputy")])
            #expect(revoked.code == 0 && revoked.output.contains("is revoked by deputy"), "\(revoked)")
            let twice = try await fleet.run(
                ["approval", "revoke", id, "--as", "deputy", "--key", fleet.key("deputy")])
            #expect(twice.code == FleetFixture.Exit.refused.rawValue, "\(twice)")
            #expect(twice.errors.contains("is revoked already, by "), "\(twice)")
            let refused = try await fleet.expect(.refused, "rollout", "start", "lab-1.5.0")
            #expect(refused.errors.contains("layer core needs an approval by one of core-owner, deputy"), "\(refused)")
            #expect(refused.errors.contains("it was revoked by "), "\(refused)")
            let shown = try await fleet.expect(.verified, "approval", "show", id)
            #expect(
                shown.output.contains("it was revoked by ") && shown.output.contains("core-owner  SHA256:"), "\(shown)")
            try await fleet.approve(plan, as: "core-owner", options: uncovered)
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            let bare = try await fleet.expect(.refused, "rollback", "--all")
            #expect(bare.errors.contains("layer data needs an approval by one of data-owner, deputy"), "\(bare)")
            #expect(bare.errors.contains("next: lockflight recover approve rollback --all --run r-"), "\(bare)")
            let text = try await fleet.expect(
                .verified, "approval", "request", "--for", "rollback", "--all", "--print"
            ).output
            let file = "\(fleet.folder)/signatures"
            var signatures = ""
            for name in Self.owners { signatures += try await fleet.sign(text, for: .recover, with: name) }
            try signatures.write(toFile: file, atomically: true, encoding: .utf8)
            let added = try await fleet.expect(.verified, "approval", "add", file)
            #expect(added.output.contains("has recorded it"), "\(added)")
            try await fleet.expect(.rolledBackVerified, "rollback", "--all")
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func breakGlassLeavesAMarkUntilAnOwnerAcknowledgesIt() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.storePolicy()
            let plan = try await fleet.addPlan(to: "1.5.0")
            try await fleet.approve(plan, as: "data-owner", "core-owner", "edge-owner")
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            let rollback = ["rollback", "--host", "core-1", "--break-glass", "core-owner", "--reason", "down"]
            let ordinary = try await fleet.run(rollback + ["--key", fleet.key("core-owner")])
            #expect(ordinary.code == FleetFixture.Exit.refused.rawValue, "\(ordinary)")
            #expect(ordinary.errors.contains("is not for break-glass"), "\(ordinary)")
            let broken = try await fleet.run(rollback + ["--key", fleet.key("break-glass")])
            #expect(broken.code == FleetFixture.Exit.rolledBackVerified.rawValue, "\(broken)")
            let again = try await fleet.run(rollback + ["--key", fleet.key("break-glass")])
            #expect(again.errors.contains("host core-1 is back already"), "\(again)")
            let status = try await fleet.run(["status"])
            #expect(status.output.contains("core-owner overrode the guardrails of"), "\(status)")
            #expect(status.output.contains("lockflight approval acknowledge r-"), "\(status)")
            let document = try await fleet.status()
            #expect(document.value(at: "/unacknowledgedOverrides/0/owner")?.scalarText == "core-owner")
            let night = try await fleet.run(["approval", "acknowledge", "--as", "night", "--key", fleet.key("night")])
            #expect(night.errors.contains("These people may: core-owner, deputy."), "\(night)")
            let own = try await fleet.run([
                "approval", "acknowledge", "--as", "core-owner", "--key", fleet.key("core-owner"),
            ])
            #expect(own.code == FleetFixture.Exit.refused.rawValue, "\(own)")
            #expect(own.errors.contains("another owner must have seen it"), "\(own)")
            #expect(own.errors.contains("approval acknowledge r-") && own.errors.contains("--as deputy"), "\(own)")
            let seen = try await fleet.run(["approval", "acknowledge", "--as", "deputy", "--key", fleet.key("deputy")])
            #expect(seen.code == 0, "\(seen)")
            let after = try await fleet.run(["status"]).output
            #expect(!after.contains("overrode"), "\(after)")
            let report = try await fleet.run(["report"]).output
            #expect(report.contains("Overridden guardrails"), "\(report)")
        }
    }

    /// Waits until the run says that it waits before a point.
    private func waits(_ fleet: FleetFixture, before point: String) async throws {
        try await fleet.wait(for: "the hold point") {
            let status = try await fleet.run(["status", "--json"])
            guard status.code != FleetFixture.Exit.refused.rawValue, let document = try? status.document() else {
                return false
            }
            return document.value(at: "/wait/before")?.scalarText == point
        }
    }
}
