import Failpoints
import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Every failpoint of coordinator and agent is struck once on a real host. The run then goes on, or is taken back, and
/// the host's own counters and journal agree with the ledger.
@Suite(.serialized)
struct FailpointTests {
    static let one = LabLayout(layers: ["core"], members: [.init("core-1", layers: ["core"])])

    /// Where processes die in one run.
    struct Walk: Sendable, CustomTestStringConvertible {
        /// One for each coordinator that is started, the first for `rollout start`.
        var coordinators: [String] = []
        var agent: Failpoint?

        var testDescription: String {
            (coordinators + [agent.map { "agent:\($0.rawValue)" }].compactMap { $0 }).joined(separator: ", ")
        }

        /// What a failpoint needs to be passed at all: something to settle, to confirm, to take back.
        static func reaching(_ failpoint: Failpoint) -> [Walk] {
            let own = failpoint.rawValue
            switch failpoint {
            case .leaseTaken, .beforeStartIsSent, .afterStartIsSent, .beforeConfirmIsSent, .afterConfirmation,
                .beforeEvidenceIsKept:
                return [Walk(coordinators: [own])]
            // Each of a run's commits in turn: `aCoordinatorKilledAtAnyCommitLeavesALedgerThatReads`.
            case .beforeCommit, .afterCommit: return []
            case .beforeSettleIsSent: return [Walk(coordinators: [Failpoint.afterStartIsSent.rawValue, own])]
            case .fenceRecorded, .intentJournaled, .supervisorStarted, .supervisorBegan, .scriptJournaled, .scriptEnded,
                .recordWritten, .confirmationDecided:
                return [Walk(agent: failpoint)]
            case .tombstoneWritten:
                return [Walk(coordinators: [Failpoint.beforeStartIsSent.rawValue], agent: failpoint)]
            case .revertDecided:
                return [Walk(coordinators: [Failpoint.beforeConfirmIsSent.rawValue], agent: failpoint)]
            }
        }
    }

    /// Counts what its scripts do on the host, outside of everything that Lockflight writes.
    private static func counting(_ plan: String) -> String {
        [("redeploy", "to"), ("rollback", "from")].reduce(plan) { plan, kind in
            let (script, version) = ("./scripts/\(kind.0)-host-stack.sh", "${\(kind.1)}")
            return plan.replacingOccurrences(
                of: "run: [bash, \(script), --layer, \"${layer}\", --to, \"\(version)\"]",
                with: "run: [bash, -c, 'echo $LOCKFLIGHT_OPERATION >>../starts; "
                    + "exec bash \(script) --layer ${layer} --to \(version)']")
        }
    }

    /// The same, with changes that the host takes back unless they are confirmed.
    private static func confirming(_ plan: String) -> String {
        counting(plan).replacingOccurrences(
            of: "  healthyWithinSeconds:", with: "  confirmWithinSeconds: 5\n  healthyWithinSeconds:")
    }

    @Test(arguments: Failpoint.allCases.flatMap(Walk.reaching))
    func whateverIsKilledThereNothingIsLostAndNothingRunsTwice(_ walk: Walk) async throws {
        try await FleetFixture.with(FailpointTests.one) { fleet in
            let host = try fleet.lab.host("core-1")
            try await fleet.approvePlan(to: "1.5.0", change: FailpointTests.confirming)
            // The agent is brought beforehand, so that it has a state folder.
            try await fleet.expect(.verified, "inventory", "check")
            let armed = try arm(walk.agent, on: host)
            var outcome = try await fleet.run(["rollout", "start", "lab-1.5.0"], failpoint: walk.coordinators.first)
            for (index, failpoint) in walk.coordinators.enumerated() {
                #expect(outcome.code == 128 + SIGKILL, "\(failpoint) never fired: \(outcome.output)\(outcome.errors)")
                if walk.agent == .revertDecided {
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

    /// Before and after each commit of a run in turn, until there is none left to be killed at; one run goes well, the other
    /// fails and holds.
    @Test(arguments: [Failpoint.beforeCommit, .afterCommit], [false, true])
    func aCoordinatorKilledAtAnyCommitLeavesALedgerThatReads(_ failpoint: Failpoint, fails: Bool) async throws {
        var commit = 0
        while try await killed(at: "\(failpoint.rawValue):\(commit + 1)", fails: fails) { commit += 1 }
        #expect(commit >= 8, "a run has more commits than \(commit)")
    }

    /// - Returns: whether there was anything to be killed at.
    private func killed(at failpoint: String, fails: Bool) async throws -> Bool {
        var isKilled = true
        try await FleetFixture.with(FailpointTests.one) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: FailpointTests.counting)
            if fails { try await fleet.lab.inject(.redeployFails, on: "core-1", target: "1.5.0") }
            let end = fails ? FleetFixture.Exit.held : .verified
            var outcome = try await fleet.run(["rollout", "start", "lab-1.5.0"], failpoint: failpoint)
            isKilled = outcome.code == 128 + SIGKILL
            if isKilled {
                try await fleet.expect(.verified, "ledger", "verify")
                let status = try await fleet.run(["status"])
                // A run whose first commit never was is no run.
                if status.output.contains("no run") {
                    outcome = try await fleet.run(["rollout", "start", "lab-1.5.0"])
                } else {
                    #expect(status.output.contains("lab-1.5.0"), "\(status)")
                    outcome = try await fleet.run(["rollout", "resume"])
                }
                if outcome.code == FleetFixture.Exit.unreachable.rawValue {
                    outcome = try await fleet.run(["recover", "recheck", "core-1"])
                }
            }
            if fails {
                // Where the failure was recorded, going on is refused.
                #expect([end, .refused].map(\.rawValue).contains(outcome.code), "\(failpoint): \(outcome)")
                #expect(try await fleet.status().value(at: "/hold/code")?.scalarText == "step-failed")
            } else {
                #expect(outcome.code == end.rawValue, "\(failpoint): \(outcome)")
            }
            try await compare(fleet, try fleet.lab.host("core-1"))
        }
        return isKilled
    }

    /// What a rollback passes: it confirms nothing, and its lease is taken as for any other command.
    static let walksBack = Failpoint.allCases.flatMap { failpoint -> [Walk] in
        switch failpoint {
        case .beforeConfirmIsSent, .afterConfirmation, .confirmationDecided, .revertDecided: []
        case .beforeCommit, .afterCommit: [2, 3, 4].map { Walk(coordinators: ["\(failpoint.rawValue):\($0)"]) }
        case .leaseTaken, .beforeStartIsSent, .afterStartIsSent, .beforeEvidenceIsKept, .beforeSettleIsSent,
            .fenceRecorded, .intentJournaled, .supervisorStarted, .supervisorBegan, .scriptJournaled, .scriptEnded,
            .recordWritten, .tombstoneWritten:
            Walk.reaching(failpoint)
        }
    }

    @Test(arguments: walksBack)
    func aRollbackThatIsKilledAnywhereIsRepeatedUntilItsHostIsProvedBack(_ walk: Walk) async throws {
        try await FleetFixture.with(FailpointTests.one) { fleet in
            let host = try fleet.lab.host("core-1")
            try await fleet.approvePlan(to: "1.5.0", change: FailpointTests.counting)
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

    /// Goes on as the run itself says: resumed where it can be, taken back where its boundary failed.
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
            case .unreachable: outcome = try await fleet.run(["recover", "recheck", "core-1"])
            case .held:
                outcome = try await fleet.run(["rollback", "--all", "--reason", "test"])
                // Where nothing was changed there is nothing to take back, and going on is offered.
                if outcome.code == FleetFixture.Exit.refused.rawValue {
                    outcome = try await fleet.run(["rollout", "resume"])
                }
            case .rolledBackNotVerified, .refused, .detached, .usage, nil:
                Issue.record("exit \(outcome.code): \(outcome.output)\(outcome.errors)")
                return
            }
        }
        Issue.record("not at its end: \(outcome.output)\(outcome.errors)")
    }

    /// What the host counted, what its agent journaled and what the ledger says.
    private func compare(_ fleet: FleetFixture, _ host: LabHost) async throws {
        let events = try await fleet.run(["events", "--json"]).output
        let text = (try? String(contentsOfFile: host.root + "/starts", encoding: .utf8)) ?? ""
        let starts = text.split(separator: "\n").map(String.init)
        #expect(Set(starts).count == starts.count, "an operation ran twice: \(starts)")
        for id in starts { #expect(events.contains("\"\(id)\""), "\(id) ran and the ledger does not know it") }
        for id in try fleet.journal(of: "core-1") {
            let change = id.replacingOccurrences(of: ".revert!", with: "")
            #expect(events.contains("\"\(change)\""), "\(id) is journaled and the ledger has no intent of it")
        }
        try await fleet.expect(.verified, "ledger", "verify")
    }
}
