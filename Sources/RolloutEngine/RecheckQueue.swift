import UpgradeDomain

/// Hosts that someone has repaired: what is captured and compared again, and what of it did not pass.
struct RecheckQueue: Hashable, Sendable {
    private(set) var pending: Set<EvidenceSubject> = []
    /// The event that requested the recheck of a host. Evidence ordered before it does not count.
    private var begunAt: [HostName: UInt64] = [:]
    /// Hosts with a capture in the last recheck that did not pass.
    private var failed: Set<HostName> = []

    mutating func ask(_ host: HostName, for subjects: [EvidenceSubject], at sequence: UInt64) {
        begunAt[host] = sequence
        failed.remove(host)
        pending.formUnion(subjects)
    }

    /// These subjects are no longer needed.
    mutating func drop(_ subjects: some Sequence<EvidenceSubject>) { pending.subtract(subjects) }

    mutating func dropAll() { pending = [] }

    /// Notes that a subject of a rechecked host was captured.
    ///
    /// - Parameter all: the subjects of the host.
    /// - Returns: whether everything requested from the host passed.
    mutating func took(_ subject: EvidenceSubject, of host: HostName, with all: [EvidenceSubject], passed: Bool) -> Bool
    {
        pending.remove(subject)
        if !passed { failed.insert(host) }
        return pending.isDisjoint(with: all) && !failed.contains(host)
    }

    func begins(for host: HostName) -> UInt64 { begunAt[host] ?? 0 }
}

/// Placements that were done before a restart or a pause and must be proved again before anything new starts.
struct ReproofQueue: Hashable, Sendable {
    private(set) var pending: PlacementSet
    /// The event from which evidence counts. Evidence ordered before it does not.
    private(set) var begunAt: UInt64 = 0

    init(of order: PlacementOrder) { pending = PlacementSet(of: order) { _ in false } }

    mutating func ask(_ placement: Placement, at sequence: UInt64) {
        pending.insert(placement)
        begunAt = sequence
    }

    mutating func drop(_ placement: Placement) { pending.remove(placement) }
}
