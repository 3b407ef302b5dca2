import ArgumentParser
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

extension RolloutState {
    /// The placements of a host, or an error that names the hosts there are.
    func known(_ host: String) throws -> [Placement] {
        let found = placements(of: HostName(host))
        guard !found.isEmpty else {
            throw CommandError(
                .refused, "\(host) takes no part in \(definition.run)", next: .status(run: definition.run))
        }
        return found
    }
}
