import Testing
import UpgradeDomain

@testable import RolloutEngine

/// Rules 1 judge records from before verdicts were stored, on every reading, so they must never change.
@Suite struct RulesTests {
    /// The digest of 4,000 verdicts by rules 1, as frozen. If the test fails, a change altered how history is read:
    /// revert it, and add new rules beside the old ones with the next number.
    private static let frozen: UInt64 = 13_021_945_931_541_634_725

    @Test func frozenRulesNeverChange() {
        var dice = Dice(state: 18)
        // FNV-1a
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        var words: [RecordedVerdict.Word: Int] = [:]
        var codes: Set<HoldCode> = []
        let judge = Judgement(
            plan: plan, subject: .placement(Placement(host: "c1", layer: "core")), wall: WallTime(clamping: 500))
        for _ in 0..<1_000 {
            let (before, after) = (capture(&dice), capture(&dice))
            let expected = dice.oneIn(3) ? [ItemReference(surface: "services", item: "api")] : []
            let verdicts = [
                judge.baseline(before, allowsTarget: dice.oneIn(2)),
                judge.drift(after, since: before, expects: .source, expected: expected),
                judge.compare(after, with: before, expects: .target, expected: expected),
                judge.compare(
                    after, with: before, expects: .target, expected: expected, changedAt: WallTime(clamping: 900_000)),
            ]
            for verdict in verdicts {
                let word = RecordedVerdict(rules: 1, verdict).word
                words[word, default: 0] += 1
                if let code = verdict.problem?.code { codes.insert(code) }
                let item = verdict.problem?.item.map { "\($0.surface) \($0.item) \($0.verdict.rawValue)" } ?? ""
                let text = "\(word) \(verdict.problem?.code.rawValue ?? "") \(verdict.problem?.detail ?? "") \(item)\n"
                for byte in text.utf8 { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            }
        }
        // The frozen verdicts cover many results.
        #expect(words.count == 3 && words.values.allSatisfy { $0 > 50 }, "\(words)")
        #expect(codes.count >= 12, "\(codes)")
        #expect(digest == RulesTests.frozen, "rules 1 differ from when they were frozen: \(digest)")
    }

    /// What is shown of a capture is what it was judged by: an item diverges exactly if the gate does not pass.
    @Test func theShownComparisonMatchesTheVerdict() {
        var dice = Dice(state: 20)
        let judge = Judgement(
            plan: plan, subject: .placement(Placement(host: "c1", layer: "core")), wall: WallTime(clamping: 500))
        var showing = judge
        showing.includesWhatPasses = true
        var (passed, stopped) = (0, 0)
        for _ in 0..<2_000 {
            let (before, after) = (capture(&dice), capture(&dice))
            if before.surfaces.isEmpty || after.surfaces.isEmpty { continue }
            let expected = dice.oneIn(3) ? [ItemReference(surface: "services", item: "api")] : []
            let order = (after.surfaces + before.surfaces).map(\.name)
            let expects: Judgement.Expectation = dice.oneIn(2) ? .target : .source
            let judged = [
                (
                    judge.compare(after, with: before, expects: expects, expected: expected),
                    showing.findings(after, with: before, expects: expects, expected: expected, changedAt: nil)
                ), (judge.baseline(after, allowsTarget: false), showing.baselineFindings(after, allowsTarget: false)),
            ]
            for (verdict, findings) in judged {
                let items = [ComparedItem](findings, in: order)
                #expect(Set(items.map { ItemReference(surface: $0.surface, item: $0.item) }).count == items.count)
                #expect(items.contains(where: \.isDivergent) == (verdict.problem != nil), "\(verdict)")
                if let item = verdict.problem?.item {
                    stopped += 1
                    #expect(
                        items.contains { $0.isDivergent && $0.surface == item.surface && $0.item == item.item },
                        "\(item) is not among \(items.filter(\.isDivergent))")
                } else if verdict.problem == nil {
                    passed += 1
                }
            }
        }
        #expect(passed > 50 && stopped > 1_000, "\(passed) passed, \(stopped) stopped")
    }

    private var plan: Plan {
        let depth = Measure(name: "depth", pointer: "/depth", rise: Tolerance(percent: 20))
        return Model.run([Model.layer("core")], hosts: [("c1", ["core"])]) { plan in
            plan.evidence[0].reader.measures = [depth]
            plan.agreements = [
                Agreement(
                    ItemReference(surface: "services", item: "api"), ItemReference(surface: "services", item: "store"))
            ]
            plan.waivers = [
                Waiver(
                    surface: "services", item: "mail", owner: "own-core", reason: "known", expiresAtMilliseconds: 1_000)
            ]
        }.plan
    }

    /// What a host may report: mostly the expected value, sometimes anything.
    private func capture(_ dice: inout Dice) -> Capture {
        let version = dice.oneIn(2) ? "1" : "2"
        var surfaces = [
            reading("version:app", .version, [("app", dice.oneIn(9) ? "3" : version, .healthy)], &dice),
            reading("runtime:app", .runtime, links(version, &dice), &dice),
            reading(
                "materialization", .materialization,
                [("result", dice.oneIn(9) ? "1" : "0", dice.oneIn(9) ? .unhealthy : .healthy)], &dice),
            reading("services", .family, services(&dice), &dice),
            reading("smoke", .path, [("result", "200", dice.oneIn(9) ? .unhealthy : .healthy)], &dice),
        ]
        if dice.oneIn(9) { surfaces.remove(at: dice.roll(surfaces.count)) }
        return Capture(
            subject: .placement(Placement(host: "c1", layer: "core")), takenAt: WallTime(clamping: 1),
            surfaces: dice.oneIn(40) ? [] : surfaces)
    }

    private func services(_ dice: inout Dice) -> [(String, String, Health)] {
        ["api", "store", "mail", "extra"].compactMap { name in
            if dice.oneIn(name == "extra" ? 2 : 12) { return nil }
            return dice.oneIn(10) ? (name, "down", dice.oneIn(4) ? .unknown : .unhealthy) : (name, "up", .healthy)
        } + [("depth", "\(100 + dice.roll(30))", .healthy)]
    }

    private func links(_ version: String, _ dice: inout Dice) -> [(String, String, Health)] {
        Model.proof.source.links.compactMap { link in
            if dice.oneIn(40) { return nil }
            let isBroken = dice.oneIn(40)
            let value =
                switch link {
                case .manifest: "sha256:m\(isBroken ? "9" : version)"
                case .started: dice.oneIn(4) ? "1970-01-01T00:00:00.001Z" : "1970-01-01T00:16:40.000Z"
                default: isBroken ? "another one" : "as it should be"
                }
            return (link.description, value, isBroken && dice.oneIn(2) ? .unknown : isBroken ? .unhealthy : .healthy)
        }
    }

    private func reading(
        _ name: SurfaceName, _ role: SurfaceRole, _ items: [(String, String, Health)], _ dice: inout Dice
    ) -> SurfaceReading {
        let unknown = [UnknownReason(.stale, "old"), UnknownReason(.unparsable, "no JSON")]
        return SurfaceReading(
            name: name, role: role, durationMilliseconds: 1,
            instrumentDigest: dice.oneIn(25) ? "sha256:bb" : "sha256:aa",
            unknown: dice.oneIn(25) ? unknown[dice.roll(2)] : nil,
            items: items.map { EvidenceItem(key: $0.0, value: $0.1, health: $0.2) })
    }
}
