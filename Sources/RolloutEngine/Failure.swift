public import UpgradeDomain

/// What a judgement found wrong, first things first.
public struct Problem: Hashable, Sendable {
    public var code: HoldCode
    public var detail: String
    /// The divergent item, where there is one.
    public var item: ItemDelta?

    public init(_ code: HoldCode, _ detail: String, item: ItemDelta? = nil) {
        self.code = code
        self.detail = detail
        self.item = item
    }
}

/// A failed boundary's cause. Latched: only a recorded recovery resolves it.
public struct Failure: Hashable, Sendable {
    public var boundary: Boundary
    /// Whom it concerns; nil for layer and fleet evidence.
    public var host: HostName?
    public var placement: Placement?
    public var subject: EvidenceSubject?
    public var problem: Problem
    public var operation: OperationID?
    public var at: WallTime
    public internal(set) var resolution: Resolution?
}

/// How a failure was answered.
public enum Resolution: String, Hashable, Sendable {
    case repairedByHand, rerunPassed, rolledBackVerified, retired
    /// Nothing had changed when it failed; the check is made again from the start.
    case checkedAgain
}
