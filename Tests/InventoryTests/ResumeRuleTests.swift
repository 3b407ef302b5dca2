import ContentDigest
import PlanFiles
import Testing
import UpgradeDomain

@testable import Inventory

/// Tests which of the current rules apply to an older run when it is resumed.
struct ResumeRuleTests {
    /// - Parameter owners: the owners that the run stored; nil for those of the inventory.
    private func problems(
        owners: [LayerName: [Owner]]? = nil, _ change: (inout Plan) -> Void
    ) throws -> [String] {
        let inventory = try Examples.inventory()
        var plan = try Examples.plan(try Examples.text("examples/plan.yaml"))
        change(&plan)
        let hosts = plan.selectedHosts(of: inventory)
        let definition = RunDefinition(
            run: "r-older2", ledger: "l-older2", plan: plan, planDigest: try .canonical(of: plan), hosts: hosts,
            hostsDigest: try .canonical(of: hosts), approvals: [],
            owners: owners ?? Dictionary(inventory.layers.map { ($0.name, $0.owners) }) { first, _ in first })
        return plan.resumeProblems(over: definition)
    }

    @Test func aPlanThatMayStartMayGoOn() throws {
        #expect(try problems { _ in } == [])
        #expect(try problems(owners: [:]) { _ in } == [], "the first release stored no owners")
    }

    @Test func aLayerThatThePlanLeavesOutCountsAsALowerOne() throws {
        for owners in [nil, [:]] as [[LayerName: [Owner]]?] {
            let found = try problems(owners: owners) { plan in
                plan.layers.removeFirst()
                plan.evidence.removeAll { $0.scope != .host }
            }
            #expect(found == [])
        }
    }

    @Test func theFormOfAStoredPlanIsNotCheckedAgain() throws {
        #expect(try problems { $0.layers[0].rollback.command = nil } == [])
    }

    @Test func evidenceThatWouldBeMisjudgedIsFound() throws {
        let found = try problems { $0.evidence[0].scope = .fleet(vantage: "gone-1") }
        #expect(found.contains("surface 'services' is captured from gone-1, which is not among the plan's hosts"))
        #expect(try problems { $0.layers[1].worksWith = ["data": ["1.4.0"]] }.count == 1)
    }
}
