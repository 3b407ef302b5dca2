import UpgradeDomain

/// Why boundaries failed, and how each failure was resolved. Entries are never removed.
struct FailureLog: Hashable, Sendable {
    private(set) var all: [Failure] = []

    var unresolved: [Failure] { all.filter { $0.resolution == nil } }

    /// The first unresolved failure, else the last one.
    var leading: Failure? { all.first { $0.resolution == nil } ?? all.last }

    /// The failure that a placement must recover from. A failure of its host counts too.
    func unresolved(of placement: Placement) -> Failure? {
        all.first {
            $0.resolution == nil && ($0.placement == placement || ($0.placement == nil && $0.host == placement.host))
        }
    }

    /// Adds a failure, unless one of the same subject and kind is already open. If that one has the same words, it now
    /// names the operation that ran last.
    mutating func note(_ failure: Failure) {
        let open = all.firstIndex {
            $0.resolution == nil && $0.host == failure.host && $0.placement == failure.placement
                && $0.subject == failure.subject && $0.problem.code == failure.problem.code
        }
        guard let open else { return all.append(failure) }
        if all[open].problem == failure.problem { all[open].ranLast = failure.ranLast ?? all[open].ranLast }
    }

    /// Stores the result of a recheck in the open failures of a placement. Nil if its step runs again, which makes an
    /// earlier result obsolete. Failures of the whole host get it too, if the result is not good or if the whole host
    /// was rechecked.
    mutating func note(_ recheck: Recheck?, of placement: Placement, isWhole: Bool) {
        for index in all.indices where all[index].resolution == nil && all[index].host == placement.host {
            let isOfHost = all[index].placement == nil && (isWhole || recheck?.problem != nil)
            if all[index].placement == placement || isOfHost { all[index].recheck = recheck }
        }
    }

    /// Resolves the open failures that match.
    mutating func resolve(as resolution: Resolution, where isMeant: (Failure) -> Bool = { _ in true }) {
        for index in all.indices where all[index].resolution == nil && isMeant(all[index]) {
            all[index].resolution = resolution
        }
    }
}
