import SafeText
import UpgradeDomain

extension RuntimeLink {
    /// Whether the plan states the value it must have.
    var isApprovedByValue: Bool {
        switch self {
        case .manifest, .commit, .image: true
        case .started, .worktree, .files, .process, .program, .mappings, .port, .container, .unit: false
        }
    }
}

/// The result for one link of a runtime proof, compared with what was approved.
enum RuntimeFinding: Hashable {
    case holds
    case differs(String)
    /// The link could not be inspected, or nothing states what it should be.
    case unknown(String)

    /// How far a host's clock may have been set back between the change and its proof.
    static let clockSlackMilliseconds: Int64 = 1_000

    init(of item: EvidenceItem?, _ link: RuntimeLink, approved: ApprovedRelease?, notBefore: WallTime?) {
        guard let item else {
            self = .unknown("it was not looked at")
            return
        }
        switch item.health {
        case .unknown: self = .unknown(item.value)
        case .unhealthy: self = .differs(item.value)
        case .healthy:
            switch link {
            case .manifest: self.init(item.value, is: approved?.manifest?.rawValue)
            case .commit: self.init(item.value, is: approved?.commit)
            case .image: self.init(item.value, is: approved?.image)
            case .started: self.init(begun: item.value, notBefore: notBefore)
            case .worktree, .files, .process, .program, .mappings, .port, .container, .unit: self = .holds
            }
        }
    }

    /// An image has several names; one of them must be the approved one.
    private init(_ seen: String, is approved: String?) {
        guard let approved else {
            self = .unknown("the plan does not say what it should be")
            return
        }
        let isApproved = seen.pieces(separatedBy: ", ").contains { !$0.isEmpty && $0 == approved }
        self = isApproved ? .holds : .differs("is \(seen), not \(approved)")
    }

    private init(begun text: String, notBefore: WallTime?) {
        guard let begun = WallTime(rfc3339: text) else {
            self = .unknown("'\(text)' is not a valid time")
            return
        }
        let slack = RuntimeFinding.clockSlackMilliseconds
        guard let notBefore, begun < notBefore.advanced(byMilliseconds: -slack) else {
            self = .holds
            return
        }
        self = .differs("it began \(text), before the change at \(notBefore.rfc3339)")
    }
}
