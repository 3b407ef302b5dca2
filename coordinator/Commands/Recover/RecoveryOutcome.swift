import RolloutEngine
import SafeText
import UpgradeDomain

extension RunControl.Outcome {
    /// Whether a host that was rechecked, or whose step ran again, is recovered, and which failures are still open; nil
    /// if the run is not held any more.
    init?(recoveryOf host: HostName, in state: RolloutState) {
        guard case .held = state.status else { return nil }
        guard state.isRecovered(host) else {
            let own = state.unresolvedFailures.filter { $0.host == host }
            let found = own.lazy.compactMap { $0.recheck?.problem ?? $0.problem }.first
            let loss = state.lostHosts[host]
            self.init(
                status: (loss?.code ?? found?.code)?.failureClass == .unreachable ? .unreachable : .notRecovered,
                remarks: ["\(host) is still wrong" + ((loss?.detail ?? found?.detail).map { ": \($0)" } ?? "")])
            return
        }
        let open = state.unresolvedFailures.map { "\($0.whom) (\($0.problem.code.rawValue))" }
        let mayGoOn = state.refusal(of: .resume) == nil
        self.init(
            status: mayGoOn ? .verified : .held,
            remarks: [
                mayGoOn
                    ? "\(host) passed; the run may continue"
                    : "\(host) passed; still open: \(open.joined(separator: ", "))"
            ])
    }
}
