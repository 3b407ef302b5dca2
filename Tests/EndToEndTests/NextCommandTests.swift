import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Runs every command that Lockflight suggests as the next one exactly as printed.
struct NextCommandTests {
    private func next(_ fleet: FleetFixture) async throws -> [String] {
        guard case .array(let commands)? = try await fleet.status().value(at: "/next") else { return [] }
        let printed = try await fleet.run(["status"]).output
        let lines = commands.compactMap(\.scalarText)
        for line in lines { #expect(printed.contains(line), "the view does not show: \(line)") }
        return lines
    }

    /// Runs the printed command with that beginning, with a reason if it asks for one, and returns its exit code.
    private func follow(
        _ fleet: FleetFixture, _ beginning: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Int32 {
        let commands = try await next(fleet)
        let line = try #require(
            commands.first { $0.hasPrefix("lockflight " + beginning) }, "not offered: \(beginning) in \(commands)",
            sourceLocation: sourceLocation)
        guard case .array(let asking)? = try await fleet.status().value(at: "/nextAsksReason") else { return -1 }
        return try await fleet.runVerbatim(
            asking.compactMap(\.scalarText).contains(line) ? line + " --reason 'a test'" : line
        ).code
    }

    @Test func aRecheckOfAHostThatCannotBeReachedSaysSoWithItsExitCode() async throws {
        let single = LabLayout(layers: ["core"], members: [.init("core-1", layers: ["core"])])
        try await FleetFixture.with(single) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.redeployFails, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
            let gone = try await fleet.expect(.unreachable, "recover", "recheck", "core-1")
            #expect(gone.errors.contains("core-1 is still wrong: "), "\(gone)")
            try await fleet.lab.mend("core-1")
        }
    }

    @Test func aFailedStepIsRecheckedRerunResumedAndTheRunTakenBack() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.redeployFails, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            // The narrowest recovery comes first.
            let offered = try await next(fleet).map { $0.split(separator: " ").prefix(3).joined(separator: " ") }
            #expect(offered.prefix(2) == ["lockflight recover recheck", "lockflight recover rerun"])
            #expect(try await follow(fleet, "recover recheck") == FleetFixture.Exit.notRecovered.rawValue)
            // The recheck is shown wherever the failure is shown.
            let found = try #require(try await fleet.status().value(at: "/hold/recheck")?.scalarText)
            #expect(found.contains(": still wrong: "))
            #expect(try await fleet.run(["status"]).output.contains("  rechecked  \(found.prefix(40))"))
            #expect(try await fleet.run(["recover"]).output.contains("  rechecked  \(found.prefix(40))"))
            let (page, report) = ("\(fleet.folder)/boundary.md", "\(fleet.folder)/report.md")
            try await fleet.expect(.held, "recover", "--output", page)
            #expect(try String(contentsOfFile: page, encoding: .utf8).contains("| \(found.prefix(40))"))
            try await fleet.expect(.verified, "report", "--output", report)
            #expect(try String(contentsOfFile: report, encoding: .utf8).contains("still wrong: "))
            try await fleet.lab.mend("core-1")
            #expect(try await follow(fleet, "recover rerun") == FleetFixture.Exit.verified.rawValue)
            #expect(try await follow(fleet, "rollout resume") == FleetFixture.Exit.verified.rawValue)
            #expect(try await follow(fleet, "rollback") == FleetFixture.Exit.rolledBackVerified.rawValue)
            for host in fleet.lab.hosts { #expect(try await fleet.version(host.name, host.layers[0]) == "1.4.0") }
            #expect(try await follow(fleet, "rollout finalize") == FleetFixture.Exit.verified.rawValue)
        }
    }

    @Test func aRunThatChangedNothingIsCancelledAndItsHostsAreFree() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
            try await fleet.expect(.unreachable, "rollout", "start", "lab-1.5.0")
            #expect(try await follow(fleet, "rollout cancel") == FleetFixture.Exit.verified.rawValue)
            try await fleet.expect(.refused, "rollout", "resume")
            try await fleet.lab.mend("core-1")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.refused, "rollout", "cancel")
        }
    }

    @Test func aRollbackThatWaitsForASignOffGoesOnWithIt() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.rollbackFails, on: "edge-1", target: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            #expect(try await follow(fleet, "rollback") == FleetFixture.Exit.rolledBackNotVerified.rawValue)
            #expect(try await fleet.version("core-1", "core") == "1.5.0")
            #expect(try await follow(fleet, "recover recheck") == FleetFixture.Exit.notRecovered.rawValue)
            #expect(try await follow(fleet, "recover sign-off") == FleetFixture.Exit.rolledBackNotVerified.rawValue)
            #expect(try await fleet.version("core-1", "core") == "1.4.0")
            #expect(try await fleet.version("data-1", "data") == "1.4.0")
            #expect(try await fleet.version("edge-1", "edge") == "1.5.0")
        }
    }

    /// The commands that an outcome names, word for word.
    private func named(_ outcome: FleetFixture.Outcome) -> [String] {
        outcome.errors.split(separator: "\n").compactMap { line in
            line.range(of: "next: ").map { String(line[$0.upperBound...]) }
        }
    }

    /// Runs a command, then every command that its output names; none of them may be malformed.
    private func followAll(
        _ fleet: FleetFixture, _ exit: FleetFixture.Exit, _ arguments: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await fleet.run(arguments)
        #expect(outcome.code == exit.rawValue, "\(arguments): \(outcome.errors)", sourceLocation: sourceLocation)
        let commands = named(outcome)
        #expect(!commands.isEmpty, "\(arguments) names no command: \(outcome.errors)", sourceLocation: sourceLocation)
        for command in commands {
            let given = try await fleet.runVerbatim(command)
            #expect(
                ![FleetFixture.Exit.usage.rawValue, 126, 127].contains(given.code)
                    && (command != commands[0] || !command.contains(" r-")
                        || given.code != FleetFixture.Exit.refused.rawValue),
                "\(command): exit \(given.code) \(given.errors)", sourceLocation: sourceLocation)
        }
    }

    @Test func everyRefusalNamesACommandThatCanBeGiven() async throws {
        try await FleetFixture.with { fleet in
            try await followAll(fleet, .refused, "rollout", "resume")
            try await followAll(fleet, .refused, "inventory", "show", "nobody")
            try await followAll(fleet, .refused, "inventory", "trust", "nobody", "--known-hosts", "/etc/hosts")
            try await followAll(fleet, .refused, "inventory", "trust", "--known-hosts", "\(fleet.folder)/absent")
            try await followAll(fleet, .refused, "plan", "check", "\(fleet.folder)/absent")
            try await fleet.approvePlan(to: "1.5.0")
            try await followAll(fleet, .refused, "plan", "approve", "lab-1.5.0", "--as", "stranger")

            // Hosts at another address lose their pins, and with them the approval.
            let moved = "\(fleet.folder)/moved.yaml"
            try String(contentsOfFile: fleet.lab.inventoryPath, encoding: .utf8)
                .replacingOccurrences(of: "2222", with: "2223").write(toFile: moved, atomically: true, encoding: .utf8)
            try await followAll(fleet, .verified, "inventory", "import", moved)
            try await followAll(fleet, .refused, "rollout", "start", "lab-1.5.0")
            for layer in fleet.lab.layout.layers {
                try await fleet.expect(.verified, "plan", "approve", "lab-1.5.0", "--as", "\(layer)-owner")
            }
            try await followAll(fleet, .refused, "rollout", "start", "lab-1.5.0")
        }
    }

    @Test func fromThePlanFileToTheEndEachCommandNamesTheNext() async throws {
        try await FleetFixture.with { fleet in
            var outcome = try await fleet.run(["plan", "add", fleet.lab.planPath(to: "1.5.0")])
            var given: [String] = []
            while let command = named(outcome).first, given.count < 10 {
                given.append(command)
                outcome = try await fleet.runVerbatim(command)
                #expect(outcome.code == FleetFixture.Exit.verified.rawValue, "\(command): \(outcome.errors)")
            }
            #expect(given.last == "lockflight rollout start lab-1.5.0 --watch")
            for host in fleet.lab.hosts { #expect(try await fleet.version(host.name, host.layers[0]) == "1.5.0") }
            try await followAll(fleet, .refused, "rollout", "pause")
            try await followAll(fleet, .refused, "recover", "recheck", "nobody")
            // For a layer below others, `finalize` is not suggested.
            let refused = try await fleet.run(["rollback", "--layer", "data"])
            #expect(refused.errors.contains("layer core has moved, and its worksWith lacks data 1.4.0"))
            #expect(named(refused).count == 1 && named(refused)[0].contains("rollback"), "\(named(refused))")
        }
    }

    @Test func aRollbackThatTheRunsApprovalDoesNotCoverIsApprovedByItsOwners() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.expect(.verified, "plan", "add", fleet.lab.planPath(to: "1.5.0"))
            for layer in fleet.lab.layout.layers {
                try await fleet.expect(
                    .verified, "plan", "approve", "lab-1.5.0", "--as", "\(layer)-owner", "--rollback-hours", "0")
            }
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            let rollback = ["rollback", "--host", "core-1", "--reason", "test"]
            let refused = try await fleet.run(rollback)
            #expect(refused.code == FleetFixture.Exit.refused.rawValue)
            #expect(refused.errors.contains("no owner of core has approved it"))
            #expect(try await fleet.run(rollback + ["--as", "edge-owner"]).code == FleetFixture.Exit.refused.rawValue)
            #expect(try await fleet.version("core-1", "core") == "1.5.0")
            try await followAll(fleet, .refused, "recover", "approve", "rerun", "core-1", "--as", "core-owner")
            try await fleet.expect(
                .verified, "recover", "approve", "rollback", "--host", "core-1", "--as", "core-owner")
            // Without a reason, a script is refused and a person is asked.
            let command = Array(rollback.prefix(3))
            let silent = try await fleet.run(command)
            #expect(
                silent.code == FleetFixture.Exit.refused.rawValue && silent.errors.contains("--reason"), "\(silent)")
            let unsaid = try await fleet.runOnTerminal(command, whenAsked: "Why?", type: " ")
            #expect(unsaid.code == FleetFixture.Exit.refused.rawValue, "\(unsaid)")
            let asked = try await fleet.runOnTerminal(command, whenAsked: "Why?", type: "its store is broken")
            #expect(asked.code == FleetFixture.Exit.rolledBackVerified.rawValue, "\(asked)")
            #expect(try await fleet.run(["events"]).output.contains("its store is broken"))
            // The printed rollback command for the whole fleet names the owners that are still needed.
            let next = try await fleet.run(["recover"]).output
            #expect(next.contains("--all --as data-owner"), "\(next)")
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func aLostHostIsRecheckedAndTheRunGoesOn() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
            try await fleet.expect(.unreachable, "rollout", "start", "lab-1.5.0")
            try await fleet.lab.mend("core-1")
            #expect(try await follow(fleet, "rollout resume") == FleetFixture.Exit.verified.rawValue)
        }
    }
}
