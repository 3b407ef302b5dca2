import UpgradeDomain

/// Hosts that somebody has repaired: what is captured and compared again, and what of that did not pass.
struct RecheckQueue: Hashable, Sendable {
    private(set) var pending: Set<EvidenceSubject> = []
    /// The event that asked for the recheck of a host: evidence ordered before it does not count.
    private var begunAt: [HostName: UInt64] = [:]
    /// Hosts of which a capture of the last recheck did not pass.
    private var failed: Set<HostName> = []

    mutating func ask(_ host: HostName, for subjects: [EvidenceSubject], at sequence: UInt64) {
        begunAt[host] = sequence
        failed.remove(host)
        pending.formUnion(subjects)
    }

    /// Nobody waits for it any more.
    mutating func drop(_ subjects: some Sequence<EvidenceSubject>) { pending.subtract(subjects) }

    mutating func dropAll() { pending = [] }

    /// What a host was asked to show again was looked at.
    ///
    /// - Parameter all: the subjects of the host.
    /// - Returns: whether all that was asked of the host passed.
    mutating func took(_ subject: EvidenceSubject, of host: HostName, with all: [EvidenceSubject], passed: Bool) -> Bool
    {
        pending.remove(subject)
        if !passed { failed.insert(host) }
        return pending.isDisjoint(with: all) && !failed.contains(host)
    }

    func begins(for host: HostName) -> UInt64 { begunAt[host] ?? 0 }
}

/// Placements that were done before a restart or a pause, to be proved again before anything new starts.
struct ReproofQueue: Hashable, Sendable {
    private(set) var pending: PlacementSet
    /// The event from which on evidence counts.
    private(set) var begunAt: UInt64 = 0

    init(of order: PlacementOrder) { pending = PlacementSet(of: order) { _ in false } }

    mutating func ask(_ placement: Placement, at sequence: UInt64) {
        pending.insert(placement)
        begunAt = sequence
    }

    mutating func drop(_ placement: Placement) { pending.remove(placement) }
}
