package import RolloutEngine
package import UpgradeDomain

/// What a placement's last capture shows beside what it is judged by, as `--json` and bundles have it.
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
