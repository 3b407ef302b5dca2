import Failpoints
import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Every failpoint of coordinator and agent fires once on a real host. The run then goes on, or is rolled back, and
/// the host's own counters and journal agree with the ledger.
struct FailpointTests {
    static let one = LabLayout(layers: ["core"], members: [.init("core-1", layers: ["core"])])

    /// The places where processes die in one run.
    struct Walk: Sendable, CustomTestStringConvertible {
        /// One failpoint for each coordinator that is started; the first is for `rollout start`.
        var coordinators: [String] = []
        var agent: Failpoint?

        var testDescription: String {
            (coordinators + [agent.map { "agent:\($0.rawValue)" }].compactMap { $0 }).joined(separator: ", ")
        }

        /// What is needed to reach a failpoint: something to settle, to confirm or to roll back.
        static func reaching(_ failpoint: Failpoint) -> [Walk] {
            let own = failpoint.rawValue
            switch failpoint {
            case .leaseTaken, .beforeStartIsSent, .afterStartIsSent, .beforeConfirmIsSent, .afterConfirmation,
                .beforeEvidenceIsKept:
                return [Walk(coordinators: [own])]
            // Covered for each commit of a run by `aCoordinatorKilledAtAnyCommitLeavesAReadableLedger(_:)`.
            case .beforeCommit, .afterCommit: return []
            case .beforeSettleIsSent: return [Walk(coordinators: [Failpoint.afterStartIsSent.rawValue, own])]
            case .fenceRecorded, .intentJournaled, .supervisorStarted, .supervisorBegan, .scriptJournaled, .scriptEnded,
                .recordWritten, .confirmationDecided:
                return [Walk(agent: failpoint)]
            case .tombstoneWritten:
                return [Walk(coordinators: [Failpoint.beforeStartIsSent.rawValue], agent: failpoint)]
            case .revertDecided, .copyRecorded, .copyPlaced:
                return [Walk(coordinators: [Failpoint.beforeConfirmIsSent.rawValue], agent: failpoint)]
            }
        }
    }

    /// Counts what its scripts do on the host, independently of what Lockflight writes.
    private static func counting(_ plan: String) -> String {
        [("redeploy", "to"), ("rollback", "from")].reduce(plan) { plan, kind in
            let (script, version) = ("./scripts/\(kind.0)-host-stack.sh", "${\(kind.1)}")
            return plan.replacingOccurrences(
                of: "run: [bash, \(script), --layer, \"${layer}\", --to, \"\(version)\"]",
                with: "run: [bash, -c, 'echo $LOCKFLIGHT_OPERATION >>../starts; "
                    + "exec bash \(script) --layer ${layer} --to \(version)']"
                    + (kind.0 == "rollback" ? "\n    keeps: [scripts]" : ""))
        }
    }

    /// The same with a change that replaces every script, so that the rollback runs kept copies.
    private static func replacing(_ plan: String) -> String {
        let redeploy = "./scripts/redeploy-host-stack.sh --layer ${layer} --to ${to}"
        return counting(plan).replacing(
            "exec bash \(redeploy)", with: "bash \(redeploy) && \(WayBackRunTests.replacingScripts)")
    }

    /// The same with changes that the host reverts unless they are confirmed.
    private static func confirming(_ plan: String) -> String {
        replacing(plan).replacingOccurrences(
            of: "  healthyWithinSeconds:", with: "  confirmWithinSeconds: 5\n  healthyWithinSeconds:")
    }

    @Test(arguments: Failpoint.allCases.flatMap(Walk.reaching))
    func aProcessKilledAtAnyFailpointLosesNothingAndRepeatsNothing(_ walk: Walk) async throws {
        try await FleetFixture.with(FailpointTests.one) { fleet in
            let host = try fleet.lab.host("core-1")
            try await fleet.approvePlan(to: "1.5.0", change: FailpointTests.confirming)
            // The agent is installed beforehand, so that it has a state folder.
            try await fleet.expect(.verified, "inventory", "check")
            let armed = try arm(walk.agent, on: host)
            var outcome = try await fleet.run(["rollout", "start", "lab-1.5.0"], failpoint: walk.coordinators.first)
            for (index, failpoint) in walk.coordinators.enumerated() {
                #expect(outcome.code == 128 + SIGKILL, "\(failpoint) never fired: \(outcome.output)\(outcome.errors)")
                // The host rolls back by itself, without a coordinator.
                if [.revertDecided, .copyRecorded, .copyPlaced].contains(walk.agent) {
                    try await fleet.wait(for: "the host to decide") {
                        FileManager.default.fileExists(atPath: armed + ".fired")
                    }
                }
                let next = walk.coordinators.dropFirst(index + 1).first
                outcome = try await fleet.run(["rollout", "resume"], failpoint: next)
            }
            expectFired(walk.agent, armed, outcome)
            try await bringToItsEnd(fleet, outcome)
            try await compare(fleet, host)
        }
    }

    /// A coordinator that dies at one commit of its run.
    struct Death: Sendable, CustomTestStringConvertible {
        var failpoint: Failpoint
        var commit: Int
        var fails: Bool

        var testDescription: String { "\(failpoint.rawValue):\(commit)\(fails ? " of a run that fails" : "")" }

        /// Bounds on the number of commits in a run; the exact number depends on what is committed together.
        static let commits = 6...14
        static let all = [Failpoint.beforeCommit, .afterCommit].flatMap { failpoint in
            [false, true].flatMap { fails in
                (1...commits.upperBound).map { Death(failpoint: failpoint, commit: $0, fails: fails) }
            }
        }
    }

    /// Before and after each commit of a run; one run succeeds, the other fails and is held.
    @Test(arguments: Death.all)
    func aCoordinatorKilledAtAnyCommitLeavesAReadableLedger(_ death: Death) async throws {
        try await FleetFixture.with(FailpointTests.one) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: FailpointTests.counting)
            if death.fails { try await fleet.lab.inject(.redeployFails, on: "core-1", target: "1.5.0") }
            let end = death.fails ? FleetFixture.Exit.held : .verified
            var outcome = try await fleet.run(
                ["rollout", "start", "lab-1.5.0"], failpoint: "\(death.failpoint.rawValue):\(death.commit)")
            if outcome.code == 128 + SIGKILL {
                #expect(death.commit < Death.commits.upperBound, "a run has more commits than are tested")
                outcome = try await goOn(fleet)
            } else {
                #expect(death.commit > Death.commits.lowerBound, "a run has fewer commits than expected")
            }
            if death.fails {
                // If the failure was recorded, resuming is refused.
                #expect([end, .refused].map(\.rawValue).contains(outcome.code), "\(outcome)")
                #expect(try await fleet.holdCode() == "step-failed")
            } else {
                #expect(outcome.code == end.rawValue, "\(outcome)")
            }
            try await compare(fleet, try fleet.lab.host("core-1"))
        }
    }

    /// Starts the next coordinator after one was killed at a commit.
    private func goOn(_ fleet: FleetFixture) async throws -> FleetFixture.Outcome {
        try await fleet.expect(.verified, "ledger", "verify")
        let status = try await fleet.run(["status"])
        // Without its first commit, the run does not exist.
        guard !status.output.contains("no run") else { return try await fleet.run(["rollout", "start", "lab-1.5.0"]) }
        #expect(status.output.contains("lab-1.5.0"), "\(status)")
        let outcome = try await fleet.run(["rollout", "resume"])
        guard outcome.code == FleetFixture.Exit.unreachable.rawValue else { return outcome }
        return try await fleet.run(["recover", "recheck", "core-1"])
    }

    /// The failpoints of a rollback: it confirms nothing and takes its lease like any other command.
    static let walksBack = Failpoint.allCases.flatMap { failpoint -> [Walk] in
        switch failpoint {
        case .beforeConfirmIsSent, .afterConfirmation, .confirmationDecided, .revertDecided: []
        case .beforeCommit, .afterCommit: [2, 3, 4].map { Walk(coordinators: ["\(failpoint.rawValue):\($0)"]) }
        case .leaseTaken, .beforeStartIsSent, .afterStartIsSent, .beforeEvidenceIsKept, .beforeSettleIsSent,
            .fenceRecorded, .intentJournaled, .supervisorStarted, .supervisorBegan, .scriptJournaled, .scriptEnded,
            .recordWritten, .tombstoneWritten:
            Walk.reaching(failpoint)
        case .copyRecorded, .copyPlaced: [Walk(agent: failpoint)]
        }
    }

    @Test(arguments: walksBack)
    func aRollbackKilledAnywhereIsRepeatedUntilItsHostIsVerified(_ walk: Walk) async throws {
        try await FleetFixture.with(FailpointTests.one) { fleet in
            let host = try fleet.lab.host("core-1")
            try await fleet.approvePlan(to: "1.5.0", change: FailpointTests.replacing)
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            let armed = try arm(walk.agent, on: host)
            let back = ["rollback", "--all", "--reason", "test"]
            var outcome = try await fleet.run(back, failpoint: walk.coordinators.first)
            for (index, failpoint) in walk.coordinators.enumerated() {
                #expect(outcome.code == 128 + SIGKILL, "\(failpoint) never fired: \(outcome.output)\(outcome.errors)")
                let next = walk.coordinators.dropFirst(index + 1).first
                outcome = try await fleet.run(["rollout", "resume"], failpoint: next)
            }
            expectFired(walk.agent, armed, outcome)
            for _ in 0..<4 where outcome.code != FleetFixture.Exit.rolledBackVerified.rawValue {
                if outcome.code == FleetFixture.Exit.unreachable.rawValue {
                    _ = try await fleet.run(["recover", "recheck", "core-1"])
                }
                outcome = try await fleet.run(back)
            }
            #expect(
                outcome.code == FleetFixture.Exit.rolledBackVerified.rawValue, "\(outcome.output)\(outcome.errors)")
            #expect(try await fleet.version("core-1", "core") == "1.4.0")
            try await compare(fleet, host)
        }
    }

    /// - Returns: the file that arms the agent's failpoint.
    private func arm(_ agent: Failpoint?, on host: LabHost) throws -> String {
        let armed = host.stateDirectory + "/failpoint"
        if let agent {
            try FileManager.default.createDirectory(atPath: host.stateDirectory, withIntermediateDirectories: true)
            try agent.rawValue.write(toFile: armed, atomically: true, encoding: .utf8)
        }
        return armed
    }

    private func expectFired(_ agent: Failpoint?, _ armed: String, _ outcome: FleetFixture.Outcome) {
        guard agent != nil else { return }
        #expect(FileManager.default.fileExists(atPath: armed + ".fired"), "it never fired: \(outcome.output)")
    }

    /// Continues as the run's status allows: resumes it, or rolls it back if its boundary failed.
    private func bringToItsEnd(_ fleet: FleetFixture, _ first: FleetFixture.Outcome) async throws {
        var outcome = first
        for _ in 0..<6 {
            switch FleetFixture.Exit(rawValue: outcome.code) {
            case .verified:
                #expect(try await fleet.version("core-1", "core") == "1.5.0")
                return
            case .rolledBackVerified:
                #expect(try await fleet.version("core-1", "core") == "1.4.0")
                return
            case .unreachable:
                outcome = try await fleet.run(["recover", "recheck", "core-1"])
                // It passed, so the run may go on.
                if outcome.code == FleetFixture.Exit.verified.rawValue {
                    outcome = try await fleet.run(["rollout", "resume"])
                }
            case .held, .notRecovered:
                outcome = try await fleet.run(["rollback", "--all", "--reason", "test"])
                // If nothing was changed there is nothing to roll back, and resuming is offered.
                if outcome.code == FleetFixture.Exit.refused.rawValue {
                    outcome = try await fleet.run(["rollout", "resume"])
                }
            case .rolledBackNotVerified, .refused, .detached, .usage, .failure, nil:
                Issue.record("exit \(outcome.code): \(outcome.output)\(outcome.errors)")
                return
            }
        }
        Issue.record("not at its end: \(outcome.output)\(outcome.errors)")
    }

    /// Checks that the host's counts, its agent's journal and the ledger agree, and that no placed file is left.
    private func compare(_ fleet: FleetFixture, _ host: LabHost) async throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: host.workingDirectory)
        #expect(!names.contains { $0.contains(".lockflight-") }, "\(names)")
        let events = try await fleet.run(["events", "--json"]).output
        let text = (try? String(contentsOfFile: host.root + "/starts", encoding: .utf8)) ?? ""
        let starts = text.split(separator: "\n").map(String.init)
        #expect(Set(starts).count == starts.count, "an operation ran twice: \(starts)")
        for id in starts { #expect(events.contains("\"\(id)\""), "\(id) ran and the ledger does not know it") }
        for id in try fleet.journal(of: "core-1") {
            let change = id.replacingOccurrences(of: ".revert!", with: "")
            #expect(events.contains("\"\(change)\""), "\(id) is in the journal but the ledger has no intent for it")
        }
        try await fleet.expect(.verified, "ledger", "verify")
    }
}
