import Foundation
import Testing

@testable import UpgradeDomain

struct ValueTests {
    @Test(arguments: ["latest", "Stable", "1.x", "^1.2", "~1", ">=2", "*", "", "main"])
    func aMovingTargetIsFloating(_ text: String) { #expect(Version(text).isFloating) }

    @Test(arguments: ["1.5.0", "2026.11", "4f2c9e1", "v3"])
    func anExactVersionIsNot(_ text: String) { #expect(!Version(text).isFloating) }

    /// Sizes over ten hosts, and the batches that they make.
    @Test(
        arguments: [
            (["1", "25%", "100%"], [1, 2, 7]), (["1", "1", "100%"], [1, 9]), (["100%"], [10]),
            (["3", "20%", "100%"], [3, 7]),
            (["1"], [1, 9]), (["50", "100%"], [10]),
        ] as [([String], [Int])])
    func batchesAreCumulativeRoundUpAndCoverEveryHostOnce(_ sizes: [String], _ expected: [Int]) {
        let command = ScriptCommand(arguments: ["x"], timeoutSeconds: 1)
        let layer = PlanLayer(
            name: "l", version: VersionChange(from: "1", to: "2"), components: [], steps: [],
            rollback: RollbackPosture(command: command, boundary: .untilFinalize),
            batches: sizes.compactMap(BatchSize.init),
            soakSeconds: 0, sampleSeconds: 1, healthyWithinSeconds: 1, progressDeadlineSeconds: 1, failedWhen: [])
        let hosts = (0..<10).map { HostName("h\($0)") }
        let batches = layer.batches(over: hosts)
        #expect(batches.map(\.placements.count) == expected)
        #expect(batches.flatMap(\.placements).map(\.host) == hosts)
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-23T12:00:00Z", 1_795_435_200_000),
            ("2026-11-23T13:00:00.25+01:00", 1_795_435_200_250),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] as [(String, Int64)])
    func timesAreReadAsRFC3339(_ text: String, _ milliseconds: Int64) {
        #expect(WallTime(rfc3339: text)?.milliseconds == milliseconds)
    }

    @Test(
        arguments: [
            "", "soon", "2026-13-01T00:00:00Z", "2026-11-23", "2026-11-23T12:00:00", "2026-11-23T12:00:00Zx",
            "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-11-23T12:00:00+24:00",
            "2026-11-23T12:00:00+00:60", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ])
    func whatIsNoTimeIsNotRead(_ text: String) { #expect(WallTime(rfc3339: text) == nil) }

    @Test func timesAreWrittenAsTheyAreRead() {
        for text in ["2026-11-23T12:00:00Z", "2000-02-29T00:00:01Z", "1970-01-01T00:00:00Z"] {
            #expect(WallTime(rfc3339: text)?.rfc3339 == text)
        }
    }

    @Test func aTimeStaysWithinTheYearsThatCanBeWritten() {
        #expect(WallTime(milliseconds: -1) == nil)
        #expect(WallTime(milliseconds: 253_402_300_800_000) == nil)
        #expect(WallTime(clamping: .min).rfc3339 == "1970-01-01T00:00:00Z")
        #expect(WallTime(clamping: .max).rfc3339 == "9999-12-31T23:59:59Z")
        let first = WallTime(clamping: 0)
        let last = WallTime(clamping: .max)
        #expect(first.advanced(bySeconds: .max) == last)
        #expect(last.advanced(bySeconds: .min) == first)
        #expect(last.advanced(byMilliseconds: .max) == last)
        #expect(first.advanced(byMilliseconds: .min) == first)
        #expect(last.milliseconds(since: first) == 253_402_300_799_999)
    }

    @Test func anEpochRisesOnlySoFarAtOnce() {
        #expect(Epoch(UInt64(9_007_199_254_740_992)) == nil)
        #expect(Epoch.highest.raised(by: 1) == nil)
        #expect(Epoch(1).raised(by: .max) == nil)
        #expect(Epoch(1).raised(by: 2) == 3)
        #expect(Epoch(5).admits(5) && Epoch(5).admits(4_294_967_301))
        #expect(!Epoch(5).admits(4) && !Epoch(5).admits(4_294_967_302) && !Epoch(0).admits(.highest))
    }

    @Test func aPointerFindsWhatRFC6901SaysItFinds() throws {
        let document = try JSONDecoder().decode(
            JSONValue.self, from: Data(#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, "k\"l": 6, " ": 7}"#.utf8))
        #expect(document.value(at: "") == document)
        #expect(document.value(at: "/foo/0") == .string("bar"))
        #expect(document.value(at: "/") == .integer(0))
        #expect(document.value(at: "/a~1b") == .integer(1))
        #expect(document.value(at: "/m~0n") == .integer(8))
        #expect(document.value(at: "/k\"l") == .integer(6))
        #expect(document.value(at: "/ ") == .integer(7))
        for missing in ["/foo/2", "/foo/-1", "/foo/01", "/no", "foo", "/foo/0/x"] {
            #expect(document.value(at: missing) == nil)
        }
    }

    @Test(arguments: [
        ("http://10.0.0.5:8080/api", String?.some("10.0.0.5:8080")), ("https://api.example/", "api.example:443"),
        ("http://[::1]", "[::1]:80"), ("http://[::1]:81?x=:", "[::1]:81"), ("ftp://a:1", nil), ("nothing", nil),
    ])
    func theAuthorityOfABaseURLHasItsPort(url: String, authority: String?) {
        #expect(PlaceholderValues.authority(of: url) == authority)
    }

    @Test func placeholdersAreReplacedOnceAndUnknownOnesAreNamed() {
        #expect(Placeholder.names(in: "a ${x} $y ${var.z} ${") == ["x", "var.z"])
        let command = ScriptCommand(arguments: ["bash", "-c", "cd /srv && ./x.sh"], timeoutSeconds: 1)
        #expect(command.scriptPath == "bash")
        #expect(
            ScriptCommand(arguments: ["python3", "./check.py", "--a/b"], timeoutSeconds: 1).scriptPath == "./check.py")
    }

    @Test func anApprovalCountsOnlyForExactlyThisPlanAndTheseHosts() {
        let plan = Plan(
            name: "p", version: VersionChange(from: "1", to: "2"), changeClass: .minor, reviews: [], evidence: [],
            materialization: ScriptCommand(arguments: ["x"], timeoutSeconds: 1), guardrails: [],
            representativePath: Surface(
                name: "s", source: .http(HTTPSource(url: "u", timeoutSeconds: 1)), reader: Reader(shape: .result)),
            layers: [
                PlanLayer(
                    name: "data", version: VersionChange(from: "1", to: "2"), components: [], steps: [],
                    rollback: RollbackPosture(
                        command: ScriptCommand(arguments: ["x"], timeoutSeconds: 1), boundary: .oneWay),
                    batches: [], soakSeconds: 0, sampleSeconds: 1, healthyWithinSeconds: 1, progressDeadlineSeconds: 1,
                    failedWhen: [])
            ])
        let inventory = FleetInventory(layers: [InventoryLayer(name: "data", owners: ["ana"])], hosts: [])
        func verdict(_ owner: Owner, plan planDigest: Digest, hosts: Digest) -> ApprovalStanding.Verdict? {
            let approval = Approval(
                owner: owner, planDigest: planDigest, hostsDigest: hosts, claimedBy: "u",
                approvedAt: WallTime(clamping: 0))
            return ApprovalStanding(
                plan: plan, planDigest: "p1", hostsDigest: "h1", inventory: inventory, approvals: [approval]
            ).layers.first?.verdict
        }
        #expect(verdict("ana", plan: "p1", hosts: "h1") == .approved(by: "ana", claimedBy: "u"))
        #expect(verdict("ana", plan: "p2", hosts: "h1") == .void(by: "ana", changed: "plan"))
        #expect(verdict("ana", plan: "p1", hosts: "h2") == .void(by: "ana", changed: "hosts"))
        #expect(verdict("eve", plan: "p1", hosts: "h1") == .missing)
    }
}
