/// One item before and after.
package struct ItemDelta: Codable, Hashable, Sendable {
    package var surface: SurfaceName
    package var item: String
    package var before: String?
    package var after: String?
    package var verdict: DeltaVerdict

    package init(surface: SurfaceName, item: String, before: String?, after: String?, verdict: DeltaVerdict) {
        self.surface = surface
        self.item = item
        self.before = before
        self.after = after
        self.verdict = verdict
    }
}

/// How an item changed between the two captures.
package enum DeltaVerdict: String, Codable, Hashable, Sendable, CaseIterable {
    case same, changedAsExpected, changed, regressed, recovered, missing, added, stillUnhealthy, unknown
}

/// The comparison of two captures of the same family.
package enum EvidenceComparison {
    /// One delta per item of the family and path surfaces, in the order of the surfaces.
    ///
    /// A surface that is unknown or missing on either side gives one delta with an empty item and the verdict
    /// *unknown*.
    ///
    /// - Parameters:
    ///   - before: the capture to compare with, such as the baseline.
    ///   - after: the later capture.
    ///   - expects: items that are expected to change; from ``PlanLayer/expects``.
    ///   - measures: how far numbers may move; from ``Plan/measures(in:)``.
    ///   - firstLook: the values of the first look after the change, for measures that are compared with it. A measure
    ///     without one may move as far as it likes.
    package static func deltas(
        before: Capture, after: Capture, expects: [ItemReference], measures: [ItemReference: Measure] = [:],
        firstLook: [ItemReference: String] = [:]
    ) -> [ItemDelta] {
        let taken = after.surfaces.filter { $0.role == .family || $0.role == .path }.flatMap { reading in
            surfaceDeltas(
                before: before.surface(reading.name), after: reading, expects: Set(expects), measures: measures,
                firstLook: firstLook)
        }
        let left = before.surfaces.filter { reading in
            (reading.role == .family || reading.role == .path) && after.surface(reading.name) == nil
                && after.omits?.contains(reading.name) != true
        }
        return taken
            + left.map {
                ItemDelta(surface: $0.name, item: "", before: nil, after: "not captured", verdict: .unknown)
            }
    }

    private static func surfaceDeltas(
        before: SurfaceReading?, after: SurfaceReading, expects: Set<ItemReference>,
        measures: [ItemReference: Measure], firstLook: [ItemReference: String]
    ) -> [ItemDelta] {
        let surface = after.name
        func unknown(before: String? = nil, after: String? = nil) -> [ItemDelta] {
            [ItemDelta(surface: surface, item: "", before: before, after: after, verdict: .unknown)]
        }
        if let reason = after.unknown { return unknown(after: "\(reason.code.rawValue): \(reason.detail)") }
        guard let before else { return unknown(before: "not captured") }
        if let reason = before.unknown { return unknown(before: "\(reason.code.rawValue): \(reason.detail)") }

        let earlier = Dictionary(before.items.map { ($0.key, $0) }) { first, _ in first }
        let later = Set(after.items.map(\.key))
        let present = after.items.map { item in
            let reference = ItemReference(surface: after.name, item: item.key)
            var before = earlier[item.key]
            var measure = measures[reference]
            if measure?.since == .change {
                if let first = firstLook[reference] {
                    // It is as good as it is now, or as it was in the baseline.
                    let health = item.health == .healthy ? .healthy : before?.health ?? .healthy
                    before = EvidenceItem(key: item.key, value: first, health: health)
                } else {
                    measure = measure?.withoutMotion
                }
            }
            return ItemDelta(
                surface: after.name, item: item.key, before: before?.value, after: item.value,
                verdict: verdict(
                    before: before, after: item, expected: expects.contains(reference), measure: measure))
        }
        let gone = before.items.filter { !later.contains($0.key) }.map { item in
            let expected = expects.contains(ItemReference(surface: after.name, item: item.key))
            return ItemDelta(
                surface: after.name, item: item.key, before: item.value, after: nil,
                verdict: expected ? .changedAsExpected : .missing)
        }
        return present + gone
    }

    private static func verdict(
        before: EvidenceItem?, after: EvidenceItem, expected: Bool, measure: Measure?
    ) -> DeltaVerdict {
        guard after.health != .unknown else { return .unknown }
        guard let before else {
            return after.health == .healthy ? (expected ? .changedAsExpected : .added) : .regressed
        }
        switch (before.health, after.health) {
        case (.healthy, .unhealthy), (.unknown, .unhealthy): return .regressed
        case (.unhealthy, .unhealthy): return .stillUnhealthy
        case (.unhealthy, .healthy): return .recovered
        case (.healthy, .healthy), (.unknown, .healthy):
            if before.value.isSpelled(after.value) { return .same }
            if let measure, let earlier = Double(before.value), let later = Double(after.value) {
                if measure.tolerates(before: earlier, after: later) { return .same }
                return expected ? .changedAsExpected : .regressed
            }
            return expected ? .changedAsExpected : .changed
        case (_, .unknown): return .unknown
        }
    }
}
