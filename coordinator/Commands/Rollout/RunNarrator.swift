import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

/// Tells a run in plain lines, for pipes and logs: one line whenever something moved.
struct RunNarrator {
    private var last: RolloutState?
    private var said = SaidOnce()
    private let host: HostName?

    /// - Parameter host: the only one that is spoken of, beside the run as a whole; nil for every host.
    init(of host: HostName? = nil) { self.host = host }

    mutating func lines(for state: RolloutState) -> [TerminalText] {
        defer { last = state }
        let time = state.lastEventAt.rfc3339
        var lines: [TerminalText] = []
        if last?.status != state.status { lines.append("\(time) \(state.definition.run) \(state.status)") }
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
                "\(time) \(host): others than root and its account may write \(exposed.joined(separator: ", "))")
        }
        // What failed before this command is in the status; here only what happens now.
        for failure in state.failures.dropFirst(last?.failures.count ?? state.failures.count)
        where isMeant(failure.host) {
            let detail = said.words(failure.problem.detail, of: failure.whom)
            lines.append("\(time) \(failure.whom) FAILED \(failure.problem.code.rawValue): \(detail)")
            // Of one host, all that its operations print is shown as it comes.
            if self.host != nil, failure.ranLast != nil { continue }
            lines += state.output(of: failure).map { "    | \($0)" }
        }
        return lines
    }

    private func isMeant(_ host: HostName?) -> Bool { self.host == nil || host == nil || host == self.host }
}
