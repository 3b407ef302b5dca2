import CoordinatorRuntime
import FleetAccess
import Ledger
import UpgradeDomain

extension Context {
    /// What a host answers to everything that a plan asks of it, outside any run.
    func trial(
        of plan: Plan, on host: UpgradeDomain.Host, _ ledger: Ledger
    ) async throws -> [EvidenceTrial.Taken] {
        let connection = try await connection(to: [host], of: ledger)
        let trial = EvidenceTrial(connector: connection.connector, ledger: ledger.id, clock: Context.clock)
        do {
            let taken = try await trial.take(plan, from: host)
            await connection.close()
            return taken
        } catch {
            await connection.close()
            throw error
        }
    }
}
