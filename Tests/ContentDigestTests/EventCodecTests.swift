import ContentDigest
import Foundation
import Testing
import UpgradeDomain

/// The events that there are most of have a codec of their own, which must not forget a member that their type gained.
struct EventCodecTests {
    private static let digest = Digest("sha256:" + String(repeating: "a", count: 64))

    /// With every member that may be absent.
    private static let captured: RunEvent = {
        let item = ItemDelta(surface: "s", item: "i", before: "a", after: "b", verdict: .regressed)
        let reading = SurfaceReading(
            name: "s", role: .family, durationMilliseconds: 1, resultCode: 2, rawDigest: digest,
            instrumentDigest: digest, unknown: UnknownReason(.stale, "old"),
            items: [EvidenceItem(key: "k", value: "v", health: .unhealthy)], printed: ["one"])
        let capture = Capture(
            subject: .placement(Placement(host: "h", layer: "l")), takenAt: WallTime(clamping: 5), surfaces: [reading],
            omits: ["path"])
        return .captured(
            CaptureRecord(
                purpose: .verification(attempt: 2), capture: capture, orderedAfter: 7,
                verdict: RecordedVerdict(rules: 1, .fail(Problem(.evidenceRegressed, "worse", item: item)))))
    }()

    private static let intended = RunEvent.operationIntended(
        OperationIntent(
            id: "op", placement: Placement(host: "h", layer: "l"), action: .step(name: "redeploy"), attempt: 1,
            boundary: .batch(layer: "l", index: 0), planDigest: digest, epoch: 3,
            revert: RevertIntent(of: "op", withinSeconds: 60)))

    private static let ended = RunEvent.operationEnded(
        OperationRecord(
            id: "op", outcome: .exited(code: 1), startedAt: WallTime(clamping: 5), durationMilliseconds: 1,
            outputBytes: 2, outputDigest: digest, scriptDigest: digest, outputTail: "t", copyVanished: true,
            scriptReplaced: true))

    private static let events = [captured, intended, ended]

    @Test(arguments: events.indices)
    func whatItWritesIsWhatTheTypesSay(_ index: Int) throws {
        let event = EventCodecTests.events[index]
        let own = try JSONSerialization.jsonObject(with: Data(CanonicalJSON.encode(event)))
        let derived = try JSONSerialization.jsonObject(with: JSONEncoder().encode(event))
        #expect(own as? NSDictionary == derived as? NSDictionary, "\(own)\nand\n\(derived)")
        #expect(try CanonicalJSON.decode(RunEvent.self, from: CanonicalJSON.encode(event)) == event)
    }

    /// A member that is added to one of its types must be added here, so that the other test sees it.
    @Test func nothingOfTheExamplesIsAbsent() {
        for event in EventCodecTests.events { #expect(EventCodecTests.absent(in: event, at: "event") == []) }
    }

    private static func absent(in value: Any, at place: String) -> [String] {
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .optional, mirror.children.isEmpty { return [place] }
        return mirror.children.flatMap { absent(in: $0.value, at: "\(place).\($0.label ?? "element")") }
    }
}
