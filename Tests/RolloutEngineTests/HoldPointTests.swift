import Approvals
import OperatorCommands
import Testing
import UpgradeDomain

@testable import RolloutEngine

/// Runs that wait for an approval; by claims here, by signatures in `SignedRunTests`.
struct HoldPointTests {
    private static let points: [HoldPoint] = [.run, .layer("core"), .batch(layer: "core", index: 1)]

    private static func harness(_ points: [HoldPoint]) -> EngineHarness {
        var definition = Model.run { $0.holdPoints = points }
        definition.planDigest = Digest("sha256:" + String(repeating: "0", count: 64))
        for index in definition.approvals.indices { definition.approvals[index].planDigest = definition.planDigest }
        if points.contains(.run) { definition.approvals = [] }
        return EngineHarness(definition)
    }

    /// A claim for hold points of layers.
    private static func claim(
        _ harness: EngineHarness, _ points: [HoldPoint], layers: [LayerName], by owner: Owner,
        change: (inout Statement) -> Void = { _ in }
    ) -> SignedStatement {
        let state = harness.state
        let leaves = state.leaves(of: state.definition.hosts.map(\.name))
        var statement = Statement(
            .approve, .upgrade, id: StatementID(String(repeating: "\(layers.count)a", count: 16)),
            ledger: state.definition.ledger, policy: 0, plan: state.definition.planDigest, planName: "model",
            hostsRoot: HostTree(leaves)?.root ?? "", hosts: leaves.count, layers: layers,
            issuedAt: WallTime(clamping: 0), notAfter: Model.rollbackUntil)
        statement.holdPoints = points
        change(&statement)
        return SignedStatement(
            text: (try? statement.signedText()) ?? "", claim: StatementClaim(owner: owner, claimedBy: "op"),
            leaves: leaves)
    }

    @Test func aRunWaitsBeforeItsFirstChangeAndGoesOnWhenTheApprovalArrives() throws {
        var harness = HoldPointTests.harness([.run])
        harness.run()
        #expect(harness.state.status == .awaitingApproval(before: .run))
        #expect(!harness.state.isAtRest)
        #expect(harness.starts.isEmpty)
        #expect(harness.state.wait?.wait.asked == ["own-data"])
        #expect(harness.captures(.drift(attempt: 1)).isEmpty)
        let waits = harness.log.filter { if case .approvalAwaited = $0.event { true } else { false } }
        #expect(waits.count == 1)

        for layer in ["data", "core", "edge"] as [LayerName] {
            harness.request(
                .present(
                    HoldPointTests.claim(harness, [.run], layers: [layer], by: Owner("own-\(layer)")) {
                        $0.id = StatementID(
                            String(repeating: layer == "data" ? "1" : layer == "core" ? "2" : "3", count: 32))
                    }))
        }
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.state.wait == nil)
        #expect(RolloutState.permissionFault(in: harness.log) == nil)
    }

    @Test func eachHoldPointNeedsAnApprovalThatNamesIt() throws {
        var harness = HoldPointTests.harness([.layer("core"), .batch(layer: "core", index: 1)])
        harness.run()
        #expect(harness.state.status == .awaitingApproval(before: .layer("core")))
        #expect(harness.order.map(\.layer) == ["data", "data"])

        harness.request(.present(HoldPointTests.claim(harness, [.layer("core")], layers: ["core"], by: "own-core")))
        harness.run()
        #expect(harness.state.status == .awaitingApproval(before: .batch(layer: "core", index: 1)))
        #expect(harness.order.map(\.layer) == ["data", "data", "core"])

        harness.request(
            .present(
                HoldPointTests.claim(
                    harness, [.batch(layer: "core", index: 1)], layers: ["core", "edge"], by: "own-core")))
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func whatWasLookedAtBeforeTheWaitIsLookedAtAgain() throws {
        var harness = HoldPointTests.harness([.layer("core")])
        harness.run()
        harness.pass(seconds: 86_400)
        harness.request(.present(HoldPointTests.claim(harness, [.layer("core")], layers: ["core"], by: "own-core")))
        harness.run { $0.order.contains { $0.layer == "core" } }
        #expect(harness.state.failures.isEmpty, "a day of waiting is no lack of progress")
        #expect(harness.captures(.drift(attempt: 1)).contains(.placement(Placement(host: "c1", layer: "core"))))
    }

    @Test func anApprovalThatLapsesWaitsAndInterruptsNothing() throws {
        var harness = HoldPointTests.harness([.layer("core")])
        harness.run()
        let end = harness.wall.advanced(bySeconds: 1)
        harness.request(
            .present(
                HoldPointTests.claim(harness, [.layer("core")], layers: ["core"], by: "own-core") {
                    $0.issuedAt = SignedTime(WallTime(clamping: 0))
                    $0.notAfter = SignedTime(end.advanced(bySeconds: 1))
                }))
        harness.run { $0.starts.count == 3 }
        harness.pass(seconds: 5)
        harness.run()
        #expect(harness.state.status == .awaitingApproval(before: .layer("core")))
        #expect(harness.state.wait?.wait.lacking.contains("it ended at") == true)
        #expect(harness.state.placements[Placement(host: "c1", layer: "core")]?.phase == .soaked)
        #expect(harness.state.failures.isEmpty)
    }

    @Test func aClaimOfAStrangerIsRefused() {
        var harness = HoldPointTests.harness([.layer("core")])
        harness.run()
        let claim = HoldPointTests.claim(harness, [.layer("core")], layers: ["core"], by: "own-data")
        #expect(harness.state.refusal(of: .present(claim))?.message == "own-data owns no layer that it names")
        harness.request(.present(claim))
        harness.run()
        #expect(
            harness.state.status == .awaitingApproval(before: .layer("core")), "it counts for nothing if it is recorded"
        )
        #expect(RolloutState.permissionFault(in: harness.log)?.message.contains("does not count") == true)
    }

    @Test func aStepThatNobodyPermittedIsFoundInTheRecord() throws {
        var harness = HoldPointTests.harness([.layer("core")])
        harness.run()
        let placement = Placement(host: "c1", layer: "core")
        let id = OperationID(run: "r-1", placement: placement, action: .step(name: "redeploy"), attempt: 1)
        harness.append(
            .operationIntended(
                OperationIntent(
                    id: id, placement: placement, action: .step(name: "redeploy"), attempt: 1,
                    boundary: harness.state.boundary,
                    planDigest: harness.state.definition.planDigest, epoch: 1)))
        let fault = try #require(RolloutState.permissionFault(in: harness.log))
        #expect(fault.sequence == UInt64(harness.log.count))
        #expect(fault.message.hasPrefix("nobody had permitted \(id): layer core needs an approval by own-core"))
    }
}
