import ArgumentParser
import Foundation
import OperatorCommands
import Subprocess
import Testing
import UpgradeDomain

@testable import Commands
@testable import RunViews

/// Every command that is shown to an operator is one that this program accepts.
struct CommandLinesTests {
    /// Names that an older ledger or a file system may contain.
    static let names = ["core-1", "-x", "--all", "a b", "it's", "$(id)", "é\u{301}"]

    /// Every case, built with one name.
    private static func commands(_ name: String) -> [OperatorCommand] {
        let (host, owner, run) = (HostName(name), Owner(name), RunID(name))
        let scopes: [RollbackScope] = [.host(name: host), .layer(name: LayerName(name)), .all]
        return [
            .importInventory(file: name), .importTrustingSSHConfig(file: name), .initMap(file: name, format: "ansible"),
            .importMapped(file: name, format: nil, map: name), .importInventory(file: nil),
            .listInventory, .showHost(host: host),
            .trustKeys(hosts: [host, "b"]), .trustKnownHosts(file: name), .replaceKeys(hosts: [host]),
            .addPlan(file: name),
            .listPlans, .showPlan(plan: name), .approvePlan(plan: name, owner: owner),
            .approvePlan(plan: name, owner: nil), .initPolicy(file: name), .initPolicy(file: nil),
            .checkPolicy(file: name), .signPolicy(file: name, key: nil), .signPolicy(file: name, key: name),
            .addPolicy(file: name), .showPolicy(version: 7), .showPolicy(version: nil),
            .start(plan: name, succeeds: nil), .start(plan: nil, succeeds: run), .watch(run: run), .resume(run: run),
            .resume(run: nil), .abort(run: run), .finalize(run: run), .cancel(run: run), .adopt(host: host, owner: nil),
            .quarantine(run: run, abandoned: [host]), .rebind(host: host, run: run),
            .retire(host: host, run: run, owner: owner), .status(run: run), .status(run: nil),
            .statusOfEveryHost(run: run),
            .showEvents(run: run), .showOutput(host: host, run: run), .showLease(run: run), .showBoundary(run: run),
            .recheck(host: host, run: run),
            .rerun(host: host, run: run, from: nil, approvedBy: [owner], reason: .asked),
            .rerun(host: host, run: run, from: StepName(name), approvedBy: [owner], reason: .none),
            .rerunSignedOff(host: host, run: run, from: StepName(name), owner: owner),
            .signOff(hosts: [host, "b"], run: run, owner: nil),
            .verifyLedger(file: name), .rebuildLedger(without: [host, "b"]), .rebuildLedger(without: nil),
            .listReconstructed, .verifyEvidence(file: name), .startLab(folder: name), .endLab(folder: name),
            .acknowledgeOverride(run: run, owner: nil), .acknowledgeOverride(run: run, owner: owner),
            .approveHoldPoint(plan: name, point: .run, owner: nil),
            .approveHoldPoint(plan: name, point: .layer(LayerName(name)), owner: owner),
            .approveHoldPoint(plan: name, point: .batch(layer: LayerName(name), index: 1), owner: owner),
            .addApproval(file: name), .addApproval(file: nil), .listApprovals,
            .showApproval(id: StatementID(name), prints: true), .showApproval(id: StatementID(name), prints: false),
            .program(words: ["ls", "-l", name]),
        ] + permits(host, owner, run)
            + scopes.map { .rollback(scope: $0, run: run, approvedBy: [owner, "b"], reason: .none) }
    }

    /// The commands that sign what permits a request.
    private static func permits(_ host: HostName, _ owner: Owner, _ run: RunID) -> [OperatorCommand] {
        let actions: [RequestedAction] = [
            .rerun(host: host, signedOffBy: nil),
            .rerun(host: host, signedOffBy: nil, from: StepName(host.rawValue)),
            .rollback(scope: .host(name: host), breakGlass: nil), .rollback(scope: .all, breakGlass: nil),
            .rollback(scope: .layer(name: LayerName(host.rawValue)), breakGlass: owner),
            .signOff(hosts: [host, "b"], owner: owner), .retire(host: host, owner: owner), .finalize,
        ]
        return actions.flatMap { [.permit($0, run: run, owner: owner), .permit($0, run: run, owner: nil)] }
    }

    /// Every command with every name. The option for the ledger is the same in all of them and comes with every second
    /// one: each command has it with half of the names, among them one that begins like an option, and lacks it with
    /// the others. (To parse a line takes 25 ms in a debug build.)
    @Test(arguments: names.enumerated().map { ($0.offset, $0.element) })
    func everyCommandParses(_ number: Int, _ name: String) {
        for (index, command) in CommandLinesTests.commands(name).enumerated() {
            if case .program = command { continue }
            let lines = CommandLines(ledger: (index + number).isMultiple(of: 2) ? name : nil)
            let words = lines.words(command)
            #expect(words[0] == "lockflight")
            #expect(throws: Never.self, "\(words)") { _ = try Lockflight.parseAsRoot(Array(words.dropFirst())) }
        }
    }

    @Test func everyCaseIsTried() throws {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/OperatorCommands/OperatorCommand.swift")
        let text = try String(contentsOf: source, encoding: .utf8)
        let declared = try #require(text.firstRange(of: "package enum ReasonNeed"))
        let cases = Set(text[..<declared.lowerBound].matches(of: /\n    case (\w+)/).map { String($0.1) })
        let tried = CommandLinesTests.commands("a").map { command in
            Mirror(reflecting: command).children.first?.label ?? "\(command)"
        }
        #expect(cases.count > 30 && cases == Set(tried))
    }

    @Test(arguments: names)
    func aShellReadsTheWordsThatWereMeant(_ name: String) async throws {
        let lines = CommandLines(ledger: name)
        for command in CommandLinesTests.commands(name) {
            let words = lines.words(command)
            let shell = try await Subprocess.run(
                .name("sh"),
                arguments: ["-c", "lockflight() { printf '%s\\0' lockflight \"$@\"; }; " + lines.line(command)],
                output: .string(limit: 10_000), error: .string(limit: 10_000))
            if case .program = command { continue }
            #expect(shell.standardOutput == words.map { $0 + "\0" }.joined(), "\(words)")
        }
    }

    @Test func aValueIsNeverTakenForAnOption() throws {
        let lines = CommandLines()
        let rollback = OperatorCommand.rollback(
            scope: .host(name: "--all"), run: "-r", approvedBy: ["--host"], reason: .none)
        #expect(lines.line(rollback) == "lockflight rollback --host=--all --as=--host -- -r")
        let parsed = try #require(
            try Lockflight.parseAsRoot(Array(lines.words(rollback).dropFirst())) as? RollbackCommand)
        #expect(parsed.chosen.host == "--all" && !parsed.chosen.all && parsed.target.run == "-r")
        #expect(parsed.owners == ["--host"])
    }

    /// This program never supplies what is recorded as a person's reason.
    @Test func noReasonIsFilledIn() {
        for command in CommandLinesTests.commands("a") {
            #expect(!CommandLines().words(command).contains { $0.hasPrefix("--reason") })
        }
        #expect(OperatorCommand.signOff(hosts: ["a"], run: "r", owner: nil).asksForReason)
        #expect(!OperatorCommand.recheck(host: "a", run: "r").asksForReason)
    }
}
