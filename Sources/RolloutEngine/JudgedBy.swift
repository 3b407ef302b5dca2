import UpgradeDomain

/// What a capture of a placement was judged by when it was taken in: what is shown of it later is shown by that.
struct JudgedBy: Hashable, Sendable {
    /// Nil for a first capture, which is compared with nothing.
    var reference: Capture?
    var expects: Judgement.Expectation
    var expected: [ItemReference] = []
    var changedAt: WallTime?
    /// When it was recorded; decides which waivers held.
    var wall: WallTime
}
