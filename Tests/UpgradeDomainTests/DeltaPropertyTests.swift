import Testing
import UpgradeDomain

/// Properties of every comparison, over seeded families.
struct DeltaPropertyTests {
    static let seeds: Range<UInt64> = 0..<500

    private func deltas(_ before: Capture, _ after: Capture) -> [ItemDelta] {
        EvidenceComparison.deltas(before: before, after: after, expects: [])
    }

    private let quiet: Set<DeltaVerdict> = [.same, .changedAsExpected, .recovered]

    @Test func aFamilyEqualsItself() {
        for seed in DeltaPropertyTests.seeds {
            let family = Family(seed: seed).capture
            for delta in deltas(family, family) {
                let item = family.item(ItemReference(surface: delta.surface, item: delta.item))
                switch item?.health {
                case .healthy: #expect(delta.verdict == .same, "seed \(seed): \(delta)")
                case .unhealthy: #expect(delta.verdict == .stillUnhealthy, "seed \(seed): \(delta)")
                case .unknown, nil: #expect(delta.verdict == .unknown, "seed \(seed): \(delta)")
                }
            }
        }
    }

    @Test func everyMutationOfOneItemShows() {
        for seed in DeltaPropertyTests.seeds {
            var family = Family(seed: seed)
            let before = family.capture
            for (surface, reading) in before.surfaces.enumerated() where reading.unknown == nil {
                for (index, item) in reading.items.enumerated() where item.health == .healthy {
                    let (after, what) = family.mutated(surface, index)
                    let shown = deltas(before, after).filter { $0.verdict != .same && $0.verdict != .stillUnhealthy }
                    let wasQuiet = deltas(before, before).filter { $0.verdict == .unknown }
                    #expect(
                        shown.contains { delta in
                            delta.surface == reading.name && !wasQuiet.contains(delta)
                                && (delta.item == item.key || delta.item.isEmpty || delta.verdict == .added)
                        }, "seed \(seed): \(what) of \(reading.name) \(item.key) does not show: \(shown)")
                }
            }
        }
    }

    @Test func unknownAfterwardsAlwaysShows() {
        for seed in DeltaPropertyTests.seeds {
            let before = Family(seed: seed).capture
            let after = Family(seed: seed &* 31 &+ 7).capture
            let deltas = deltas(before, after)
            for reading in after.surfaces {
                if reading.unknown != nil {
                    #expect(deltas.contains { $0.surface == reading.name && $0.verdict == .unknown }, "seed \(seed)")
                }
                for item in reading.items where item.health == .unknown {
                    let verdict = deltas.first { $0.surface == reading.name && $0.item == item.key }?.verdict
                    #expect(verdict == nil || !quiet.contains(verdict ?? .same), "seed \(seed): \(item)")
                }
            }
            for reading in before.surfaces where after.surface(reading.name) == nil {
                #expect(deltas.contains { $0.surface == reading.name && $0.verdict == .unknown }, "seed \(seed)")
            }
        }
    }
}

/// A seeded family of a few surfaces.
private struct Family {
    private(set) var capture: Capture
    private var dice: Dice

    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    init(seed: UInt64) {
        var dice = Dice(state: seed)
        let surfaces = (0..<Int.random(in: 1...4, using: &dice)).map { number -> SurfaceReading in
            let items = (0..<Int.random(in: 1...5, using: &dice)).map { index in
                let health: Health = [.healthy, .healthy, .healthy, .unhealthy, .unknown][
                    Int.random(in: 0..<5, using: &dice)]
                return EvidenceItem(key: "item-\(index)", value: health.rawValue, health: health)
            }
            let isUnknown = Int.random(in: 0..<8, using: &dice) == 0
            return SurfaceReading(
                name: SurfaceName("surface-\(number)"), role: .family, durationMilliseconds: 1,
                unknown: isUnknown ? UnknownReason(.unparsable, "no") : nil, items: isUnknown ? [] : items)
        }
        capture = Capture(subject: .fleet, takenAt: WallTime(clamping: 0), surfaces: surfaces)
        self.dice = dice
    }

    /// The family with one item changed in one way.
    mutating func mutated(_ surface: Int, _ item: Int) -> (Capture, String) {
        var copy = capture
        let kind = Int.random(in: 0..<6, using: &dice)
        switch kind {
        case 0: copy.surfaces[surface].items[item].value += "!"
        case 1: copy.surfaces[surface].items[item].health = .unhealthy
        case 2: copy.surfaces[surface].items[item].health = .unknown
        case 3: copy.surfaces[surface].items.remove(at: item)
        case 4: copy.surfaces[surface].items[item].key += "'"
        default: copy.surfaces[surface].unknown = UnknownReason(.stale, "old")
        }
        return (copy, ["value", "unhealthy", "unknown", "removal", "key", "staleness"][kind])
    }
}
