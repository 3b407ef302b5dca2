import Inventory
import Ledger
import UpgradeDomain

extension StoredPlan {
    /// Refuses what an older build stored, or an inventory has made unfit since: it can be shown and taken back, and nothing new
    /// begins with it.
    func requireFit(over inventory: FleetInventory, consequence: String) throws(CommandError) {
        let problems = plan.unfitness(over: inventory)
        guard let first = problems.first else { return }
        let more = problems.count > 1 ? ", and \(problems.count - 1) more" : ""
        throw CommandError(
            .refused, "the plan \(digest.short) is not fit for this inventory: \(first)\(more)",
            consequence: consequence,
            next: plan.nameProblems(over: []).isEmpty ? "lockflight inventory import FILE" : "lockflight plan add FILE")
    }
}
