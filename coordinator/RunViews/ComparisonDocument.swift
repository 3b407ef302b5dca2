package import RolloutEngine
package import UpgradeDomain

/// The comparison of a placement's last capture with its baseline, for `--json` and bundles.
package struct ComparisonDocument: Encodable {
    package var placement: Placement
    package var beforeTakenAtMilliseconds: Int64?
    package var afterTakenAtMilliseconds: Int64
    package var deltas: [ComparedItem]

    package init(_ comparison: PlacementComparison) {
        placement = comparison.placement
        beforeTakenAtMilliseconds = comparison.before?.takenAt.milliseconds
        afterTakenAtMilliseconds = comparison.after.takenAt.milliseconds
        deltas = comparison.items
    }
}
