import ContentDigest
import Foundation
import UpgradeDomain

/// Reads and writes a recorded capture repeatedly, in turns: with Foundation, with our reader through `Codable`, and
/// directly.
enum JSONScale {
    private static let turnSeconds = 0.1

    /// The ways take turns, so that a busy machine slows all of them equally.
    static func run(seconds: Int) throws -> String {
        let event = JSONScale.event
        let text = try CanonicalJSON.encode(event)
        let (list, data) = ([0x5b] + text + [0x5d], Data(text))
        let (decoder, encoder) = (JSONDecoder(), JSONEncoder())
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // An element of an array is read through its Codable, a separate document directly.
        let ways: [(name: String, once: () throws -> Bool)] = [
            ("foundationReads", { try decoder.decode(RunEvent.self, from: data) == event }),
            ("codableReads", { try CanonicalJSON.decode([RunEvent].self, from: list) == [event] }),
            ("directReads", { try CanonicalJSON.decode(RunEvent.self, from: text) == event }),
            ("foundationWrites", { try encoder.encode(event).count == text.count }),
            ("codableWrites", { try CanonicalJSON.encode([event]).count == list.count }),
            ("directWrites", { try CanonicalJSON.encode(event).count == text.count }),
        ]
        var counts = [Int](repeating: 0, count: ways.count)
        var times = [Double](repeating: 0, count: ways.count)
        for _ in 0..<max(1, Int(Double(seconds) / turnSeconds / Double(ways.count))) {
            for (index, way) in ways.enumerated() {
                let start = ContinuousClock.now
                repeat {
                    for _ in 0..<50 where try !way.once() { throw BenchFailure("\(way.name) gives another result") }
                    counts[index] += 50
                } while (ContinuousClock.now - start).seconds < turnSeconds
                times[index] += (ContinuousClock.now - start).seconds
            }
        }
        let rates = ways.indices.map { "\"\(ways[$0].name)\": \(Double(counts[$0]) / times[$0])" }
        return "{\"bytes\": \(text.count), " + rates.joined(separator: ", ") + "}"
    }

    /// Four surfaces of a host, with the answers of an ordinary stack.
    private static var event: RunEvent {
        let digest = Digest.sha256(of: [1])
        let surfaces = ["version:api", "services", "readiness", "smoke"].enumerated().map { index, name in
            SurfaceReading(
                name: SurfaceName(name), role: index == 0 ? .version : .family, durationMilliseconds: Int64(12 + index),
                resultCode: 200, rawDigest: digest,
                items: (0..<2).map { EvidenceItem(key: "item-\($0)", value: "up since \(index)", health: .healthy) })
        }
        let capture = Capture(
            subject: .placement(Placement(host: "core-17", layer: "core")),
            takenAt: WallTime(clamping: 1_795_000_000_000),
            surfaces: surfaces)
        return .captured(CaptureRecord(purpose: .verification(attempt: 1), capture: capture, orderedAfter: 4_711))
    }
}
