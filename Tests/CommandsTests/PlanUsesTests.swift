import Approvals
import Testing
import UpgradeDomain

@testable import RunRecord

/// A statement serves as many runs as it says, whatever their order.
struct PlanUsesTests {
    private let statement: Statement

    init() {
        statement = Statement(
            .approve, .upgrade, id: StatementID(String(repeating: "a", count: 32)), ledger: "l", policy: 1,
            plan: "sha256:p", planName: "p", hostsRoot: "sha256:r", hosts: 1, layers: ["core"],
            issuedAt: WallTime(clamping: 0), notAfter: WallTime(clamping: 1))
    }

    @Test func aRunThatUsedItLeavesNothingForAnother() {
        var uses = PlanUses()
        #expect(uses.problem(with: statement) == nil)
        uses.add([], [statement.id], by: "r-1")
        #expect(uses.problem(with: statement) == .usedUp(runs: ["r-1"]))
        #expect(uses.problem(with: statement, for: "r-1") == nil)
        #expect(uses.problem(with: statement, succeeding: "r-1") == .usedUp(runs: ["r-1"]))
    }

    /// What no change of a run needed was recorded by it, and not used.
    @Test func aRunThatOnlyRecordedItIsNoUserOfIt() {
        var uses = PlanUses()
        uses.add([], [statement.id], by: "r-1")
        #expect(uses.users(of: statement.id) == ["r-1"])
        uses.leaveIdle([statement.id], in: "r-1")
        #expect(uses.users(of: statement.id).isEmpty && uses.statements[statement.id] == ["r-1"])
        #expect(uses.problem(with: statement) == .usedUp(runs: ["r-1"]))
        #expect(
            StatementEntry.Standing.coversRollback(until: SignedTime(WallTime(clamping: 0))).words
                == "ended; it covers a rollback until 1970-01-01T00:00:00Z")
    }

    /// Two open runs can not both hold it, although neither has used it yet.
    @Test func anOpenRunHoldsItBeforeItsFirstChange() {
        var uses = PlanUses()
        uses.hold([statement.id], for: "r-1")
        #expect(uses.problem(with: statement) == .heldBy(runs: ["r-1"]))
        #expect(uses.problem(with: statement, for: "r-2") == .heldBy(runs: ["r-1"]))
        #expect(uses.problem(with: statement, for: "r-1") == nil)
        #expect(uses.problem(with: statement, succeeding: "r-1") == nil, "a run that is superseded holds nothing")
        var twice = statement
        twice.runs = 2
        #expect(uses.problem(with: twice) == nil)
        uses.add([], [statement.id], by: "r-0")
        #expect(uses.problem(with: twice) == .heldBy(runs: ["r-1"]))
    }
}
