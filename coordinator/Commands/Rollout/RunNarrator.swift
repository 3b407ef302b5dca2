import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

/// Reports a run in plain lines, for pipes and logs: one line for each change.
struct RunNarrator {
    private var last: RolloutState?
    private var said = SaidOnce()
    private let host: HostName?

    /// - Parameter host: the only host that is reported, besides the run as a whole; nil for every host.
    init(of host: HostName? = nil) { self.host = host }

    mutating func lines(for state: RolloutState) -> [TerminalText] {
        defer { last = state }
        let time = state.lastEventAt.rfc3339
        var lines: [TerminalText] = []
        if last?.status != state.status { lines.append("\(time) \(state.definition.run) \(state.status)") }
        if let pending = state.wait, pending != last?.wait {
            lines.append("\(time) \(RunEvent.approvalAwaited(pending.wait).sentence)")
        }
        if last != nil, let noted = state.lastInterruption, noted != last?.lastInterruption {
            lines.append("\(time) \(noted.interruption.sentence)")
        }
        for placement in host.map({ state.placements(of: $0) }) ?? state.orderedPlacements {
            guard let own = state.placements[placement], own.phase != last?.placements[placement]?.phase, last != nil
            else { continue }
            lines.append("\(time) \(placement) \(own.phaseWords(isHeld: state.isHeld))")
        }
        for (host, record) in state.preflight.sorted(by: { $0.key < $1.key })
        where last != nil && last?.preflight[host] != record && isMeant(host) {
            guard let exposed = record.exposedPaths else { continue }
            lines.append(
                "\(time) \(host): accounts other than root and its own can write \(exposed.joined(separator: ", "))")
        }
        // Earlier failures are in the status; only new ones are reported here.
        for failure in state.failures.dropFirst(last?.failures.count ?? state.failures.count)
        where isMeant(failure.host) {
            let detail = said.words(failure.problem.detail, of: failure.whom)
            lines.append("\(time) \(failure.whom) FAILED \(failure.problem.code.rawValue): \(detail)")
            // When one host is followed, its output is already shown live.
            if self.host != nil, failure.ranLast != nil { continue }
            lines += state.output(of: failure).map { "    | \($0)" }
        }
        return lines
    }

    private func isMeant(_ host: HostName?) -> Bool { self.host == nil || host == nil || host == self.host }
}
