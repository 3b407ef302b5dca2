import UpgradeDomain

/// Why boundaries closed, and how each of that was answered. Nothing is ever taken out.
struct FailureLog: Hashable, Sendable {
    private(set) var all: [Failure] = []

    var unresolved: [Failure] { all.filter { $0.resolution == nil } }

    /// The first one that is unresolved, else the last.
    var leading: Failure? { all.first { $0.resolution == nil } ?? all.last }

    /// The failure that a placement has to recover from; one of its host counts.
    func unresolved(of placement: Placement) -> Failure? {
        all.first {
            $0.resolution == nil && ($0.placement == placement || ($0.placement == nil && $0.host == placement.host))
        }
    }

    /// Notes a failure; what is already open of the same subject and kind is not noted twice. Where it failed in the same words, it is
    /// what ran last that shows it.
    mutating func note(_ failure: Failure) {
        let open = all.firstIndex {
            $0.resolution == nil && $0.host == failure.host && $0.placement == failure.placement
                && $0.subject == failure.subject && $0.problem.code == failure.problem.code
        }
        guard let open else { return all.append(failure) }
        if all[open].problem == failure.problem { all[open].ranLast = failure.ranLast ?? all[open].ranLast }
    }

    /// Notes of the open failures of a placement what a recheck found; nil where its step runs again, after which that says nothing.
    /// Those of its host as a whole have it as well, where it is not good, or all of the host was.
    mutating func note(_ recheck: Recheck?, of placement: Placement, isWhole: Bool) {
        for index in all.indices where all[index].resolution == nil && all[index].host == placement.host {
            let isOfHost = all[index].placement == nil && (isWhole || recheck?.problem != nil)
            if all[index].placement == placement || isOfHost { all[index].recheck = recheck }
        }
    }

    /// Answers the open failures that are meant.
    mutating func resolve(as resolution: Resolution, where isMeant: (Failure) -> Bool = { _ in true }) {
        for index in all.indices where all[index].resolution == nil && isMeant(all[index]) {
            all[index].resolution = resolution
        }
    }
}
