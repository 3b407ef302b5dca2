import ArgumentParser
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

extension RolloutState {
    /// The placements of a host, or an error that says the host is not part of the run.
    func known(_ host: String) throws -> [Placement] {
        let found = placements(of: HostName(host))
        guard !found.isEmpty else {
            throw CommandError(
                .refused, "\(host) is not part of \(definition.run)", next: .status(run: definition.run))
        }
        return found
    }
}
