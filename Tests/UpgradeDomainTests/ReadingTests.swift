import ContentDigest
import Testing
import UpgradeDomain

/// Readings fail closed, and deltas describe the change of each item.
struct ReadingTests {
    private func read(
        _ reader: Reader, _ body: String, code: Int = 200, truncated: Bool = false
    ) -> Result<[EvidenceItem], ReadingFailure> {
        let document = Result { () throws(JSONError) in try CanonicalJSON.answer(from: Array(body.utf8)) }
        let answer = RawAnswer(
            resultCode: code, document: document.mapError { UnknownReason(.unparsable, "\($0)") }, text: body,
            truncated: truncated,
            hostTime: WallTime(clamping: 1_000_000_000))
        return reader.read(answer, acceptedCodes: [200])
    }

    private func health(_ result: Result<[EvidenceItem], ReadingFailure>) -> [String: Health] {
        guard case .success(let items) = result else { return [:] }
        return Dictionary(uniqueKeysWithValues: items.map { ($0.key, $0.health) })
    }

    @Test func theCommonShapesAreRead() {
        let list =
            #"{"d": [{"name": "api", "status": "UP"}, {"name": "db", "status": "down"}, {"name": "q", "status": "?"}]}"#
        #expect(
            health(read(Reader(shape: .statusList, items: "/d"), list)) == [
                "api": .healthy, "db": .unhealthy, "q": .unknown,
            ])
        #expect(
            health(read(Reader(shape: .statusMap), #"{"api": true, "db": "failed"}"#)) == [
                "api": .healthy, "db": .unhealthy,
            ])
        let objects = #"{"api": {"status": "ok"}, "cron": {}}"#
        #expect(health(read(Reader(shape: .statusObjects), objects)) == ["api": .healthy, "cron": .unknown])
        #expect(
            health(read(Reader(shape: .statusObjects, uncheckedKeys: ["cron"]), objects)) == [
                "api": .healthy, "cron": .healthy,
            ])
        #expect(health(read(Reader(shape: .value, items: "/v", key: ["app"]), #"{"v": "1.5"}"#)) == ["app": .healthy])
        #expect(health(read(Reader(shape: .result), "", code: 500)) == ["result": .unhealthy])
    }

    @Test(arguments: [
        ("not JSON", UnknownReason.Code.unparsable), ("{}", .noItems), ("[]", .unparsable), ("\"x\"", .unparsable),
    ])
    func whatCanNotBeReadIsUnknown(_ body: String, _ code: UnknownReason.Code) {
        guard case .failure(let failure) = read(Reader(shape: .statusMap), body) else {
            Issue.record("\(body) was read")
            return
        }
        #expect(failure.reason.code == code)
    }

    @Test func aWrongStatusATruncatedBodyAndARepeatedItemAreUnknown() {
        let reader = Reader(shape: .statusMap)
        #expect(health(read(reader, #"{"a": "up"}"#, code: 503)).isEmpty)
        #expect(health(read(reader, #"{"a": "up"}"#, truncated: true)).isEmpty)
        let twice = #"[{"name": "a", "status": "up"}, {"name": "a", "status": "up"}]"#
        #expect(health(read(Reader(shape: .statusList), twice)).isEmpty)
    }

    @Test(arguments: [
        ("1970-01-12T13:46:40Z", true), ("1970-01-12T13:46:29Z", false), ("1970-01-12T13:47:00Z", false),
        ("never", false),
    ])
    func anAnswerThatIsTooOldOrFromTheFutureIsStale(_ time: String, _ isFresh: Bool) {
        let reader = Reader(shape: .statusMap, items: "/s", timestamp: TimestampRule(pointer: "/t", maxAgeSeconds: 10))
        #expect(health(read(reader, #"{"t": "\#(time)", "s": {"a": "up"}}"#)).isEmpty == !isFresh)
    }

    /// One item before and after, and its verdict.
    @Test(
        arguments: [
            ("up", "up", DeltaVerdict.same), ("up", "down", .regressed), ("down", "up", .recovered),
            ("down", "down", .stillUnhealthy),
            ("up", nil, .missing), (nil, "up", .added), (nil, "down", .regressed), ("up", "odd", .unknown),
            ("up", "ok", .changed),
        ] as [(String?, String?, DeltaVerdict)])
    func eachItemHasAVerdict(_ before: String?, _ after: String?, _ verdict: DeltaVerdict) {
        func capture(_ status: String?) -> Capture {
            func health(_ word: String) -> Health {
                ["up", "ok"].contains(word) ? .healthy : word == "down" ? .unhealthy : .unknown
            }
            let items =
                [EvidenceItem(key: "other", value: "up", health: .healthy)]
                + (status.map { [EvidenceItem(key: "it", value: $0, health: health($0))] } ?? [])
            let reading = SurfaceReading(name: "s", role: .family, durationMilliseconds: 1, items: items)
            return Capture(subject: .fleet, takenAt: WallTime(clamping: 0), surfaces: [reading])
        }
        let deltas = EvidenceComparison.deltas(before: capture(before), after: capture(after), expects: [])
        #expect(deltas.first { $0.item == "it" }?.verdict == verdict)
        let expected = EvidenceComparison.deltas(
            before: capture(before), after: capture(after), expects: [ItemReference(surface: "s", item: "it")])
        let softened: [DeltaVerdict: DeltaVerdict] = [
            .changed: .changedAsExpected, .missing: .changedAsExpected, .added: .changedAsExpected,
        ]
        #expect(expected.first { $0.item == "it" }?.verdict == softened[verdict] ?? verdict)
    }
}
