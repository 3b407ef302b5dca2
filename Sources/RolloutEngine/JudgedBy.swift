import UpgradeDomain

/// What a capture of a placement was compared with when it was recorded. Later views of the capture use the same
/// comparison.
struct JudgedBy: Hashable, Sendable {
    /// Nil for a first capture, which is not compared with anything.
    var reference: Capture?
    var expects: Judgement.Expectation
    var expected: [ItemReference] = []
    var changedAt: WallTime?
    /// The values of the first look after the change, of measures that are compared with it.
    var firstLook: [ItemReference: String] = [:]
    /// When it was recorded; decides which waivers were valid.
    var wall: WallTime
}
