import Foundation
import Testing

@testable import UpgradeDomain

struct ValueTests {
    @Test(arguments: ["latest", "Stable", "1.x", "^1.2", "~1", ">=2", "*", "", "main"])
    func aMovingTargetIsFloating(_ text: String) { #expect(Version(text).isFloating) }

    @Test(arguments: ["1.5.0", "2026.11", "4f2c9e1", "v3"])
    func anExactVersionIsNotFloating(_ text: String) { #expect(!Version(text).isFloating) }

    /// Sizes over ten hosts, and the resulting batches.
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
    func invalidTimesAreNotRead(_ text: String) { #expect(WallTime(rfc3339: text) == nil) }

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

    @Test func anEpochRisesByABoundedStep() {
        #expect(Epoch(UInt64(9_007_199_254_740_992)) == nil)
        #expect(Epoch.highest.raised(by: 1) == nil)
        #expect(Epoch(1).raised(by: .max) == nil)
        #expect(Epoch(1).raised(by: 2) == 3)
        #expect(Epoch(5).admits(5) && Epoch(5).admits(4_294_967_301))
        #expect(!Epoch(5).admits(4) && !Epoch(5).admits(4_294_967_302) && !Epoch(0).admits(.highest))
    }

    @Test func aPointerResolvesAsRFC6901Specifies() throws {
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
        var plan = Plan(
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
        let now = WallTime(clamping: 1_000)
        func verdict(
            _ owner: Owner, plan planDigest: Digest, hosts: Digest, runs: Int? = nil, until: Int64? = nil,
            usedBy: [RunID] = []
        ) -> ApprovalStanding.Verdict? {
            let approval = Approval(
                owner: owner, planDigest: planDigest, hostsDigest: hosts, claimedBy: "u",
                approvedAt: WallTime(clamping: 0), runs: runs, until: until.map(WallTime.init(clamping:)))
            return ApprovalStanding(
                plan: plan, planDigest: "p1", hostsDigest: "h1", inventory: inventory,
                approvals: [GivenApproval(approval, usedBy: usedBy)], at: now
            ).layers.first?.verdict
        }
        // A layer that the run waits for needs no approval at the start. A batch's hold point is behind the start of its layer.
        for (point, wanted) in [
            (HoldPoint.run, ApprovalStanding.Verdict.atHoldPoint(.run)), (.layer("data"), .atHoldPoint(.layer("data"))),
            (.layer("app"), .missing), (.batch(layer: "data", index: 1), .missing),
        ] {
            plan.holdPoints = [point]
            #expect(verdict("eve", plan: "p1", hosts: "h1") == wanted)
            #expect(verdict("eve", plan: "p1", hosts: "h1")?.letsStart == (wanted != .missing))
        }
        plan.holdPoints = nil
        #expect(verdict("ana", plan: "p1", hosts: "h1") == .approved(by: "ana", claimedBy: "u"))
        #expect(verdict("ana", plan: "p2", hosts: "h1") == .void(by: "ana", changed: "plan"))
        #expect(verdict("ana", plan: "p1", hosts: "h2") == .void(by: "ana", changed: "hosts"))
        #expect(verdict("eve", plan: "p1", hosts: "h1") == .missing)
        // Valid for as many runs as it names and until its end; approvals of 0.1.0 have neither limit.
        let approved = ApprovalStanding.Verdict.approved(by: "ana", claimedBy: "u")
        #expect(verdict("ana", plan: "p1", hosts: "h1", usedBy: ["r-1", "r-2"]) == approved)
        #expect(verdict("ana", plan: "p1", hosts: "h1", runs: 2, usedBy: ["r-1"]) == approved)
        #expect(
            verdict("ana", plan: "p1", hosts: "h1", runs: 2, usedBy: ["r-1", "r-2"])
                == .used(by: "ana", runs: ["r-1", "r-2"]))
        #expect(verdict("ana", plan: "p1", hosts: "h1", runs: 1, until: 1_001) == approved)
        #expect(verdict("ana", plan: "p1", hosts: "h1", runs: 1, until: 1_000) == .ended(by: "ana", at: now))
    }

    @Test func aRunStartsWithTheLastApprovalOfEachOwnerThatIsLeft() {
        func given(_ owner: Owner, _ at: Int64, usedBy: [RunID] = [], until: Int64 = 2_000) -> GivenApproval {
            GivenApproval(
                Approval(
                    owner: owner, planDigest: "p1", hostsDigest: "h1", claimedBy: "u",
                    approvedAt: WallTime(clamping: at),
                    runs: 1, until: WallTime(clamping: until)), usedBy: usedBy)
        }
        func chosen(_ all: [GivenApproval]) -> [Int64] {
            all.usable(plan: "p1", hosts: "h1", at: WallTime(clamping: 1_000)).map(\.approvedAt.milliseconds)
        }
        #expect(chosen([given("bo", 3), given("ana", 1), given("ana", 2)]) == [2, 3])
        // An owner narrows an earlier approval by a later one.
        #expect(chosen([given("ana", 1), given("ana", 2, usedBy: ["r-1"])]) == [])
        #expect(chosen([given("ana", 1), given("ana", 2, until: 999)]) == [])
        #expect(chosen([given("ana", 1, usedBy: ["r-1"])]) == [])
    }
}

/// An address is whatever the system's own parser accepts, and one address has one value.
struct HostAddressTests {
    @Test(
        arguments: [
            "10.0.0.1", "::1", "fe80::1%eth0", "2001:db8::", "::ffff:10.0.0.1", "1::2:3", "localhost",
            "core-1.example.net",
            "web_1", "a", "example.net.", "1.example", "0x.example", "::", "1:2:3:4:5:6:7:8", "64:ff9b::192.0.2.33",
        ])
    func anAddressIsAccepted(_ text: String) { #expect(HostAddress(text) != nil) }

    @Test(
        arguments: [
            "", "-oProxyCommand=id", "10.0.0.1:2222", "[fe80::1]", "[::1]:22", "user@host", "a b", "a/b", "$(id)",
            "`id`",
            "a;b", "127.1", "2130706433", "0x7f.1", "0x7f000001", "010.0.0.1", "10.0.0.256", "1.2.3", "1.2.3.4.5",
            "a..b",
            ".a", "-a.b", "a-.b", "a\u{3002}b", "é.example", "%h", "a\nb", "a\u{301}", "a@\u{301}b", "::1%", "::1%a b",
            "fe80::1%eth0%1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":::", "12345::", "::1.2.3",
            ":1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:", "::g", "1.2.3.4::", String(repeating: "a", count: 64),
        ])
    func anInvalidAddressIsRefused(_ text: String) { #expect(HostAddress(text) == nil, "\(text)") }

    @Test(
        arguments: [
            ("::1", "0:0:0:0:0:0:0:1"), ("::1", "0000::0001"), ("LOCALHOST", "localhost"), ("a.example.", "A.example"),
            ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:DB8::a", "2001:db8:0:0:0:0:0:A"), ("::a00:1", "::10.0.0.1"),
        ])
    func spellingsOfOneAddressMatch(_ one: String, _ other: String) { #expect(HostAddress(one) == HostAddress(other)) }

    /// Values that are safe to pass to a program without being addresses: ssh_config names, accounts, old values.
    @Test(arguments: [
        "node.1", "prod:db1", "CORP\\deploy", "[10.0.0.1]:2222", "rack_12", "a%eth0", "übung", "ana@corp",
    ])
    func aNameThatIsNotAnAddressMayBeHarmless(_ text: String) { #expect(HostAddress.isHarmless(text)) }

    @Test(
        arguments: [
            "", "-oProxyCommand=id", "-", "a b", "a\tb", "a\nb", "a\u{0}b", "a\u{7f}", "$(id)", "`id`", "a;b", "a|b",
            "a&b",
            "a>b", "a'b", "a\"b", "a/b", "~a", "a*", "{a,b}", "a!b", "-\u{301}x", "$\u{301}(id)",
        ])
    func anOptionOrACommandIsNotHarmless(_ text: String) { #expect(!HostAddress.isHarmless(text)) }

    @Test func anAddressWithAPortOrUserIsOvercomplete() {
        for text in ["10.0.0.1:22", "[::1]", "[::1]:22", "a@b", "host:2222"] {
            #expect(HostAddress.isOvercomplete(text))
        }
        for text in ["::1", "node.1", "prod:db1", "fe80::1%eth0"] { #expect(!HostAddress.isOvercomplete(text)) }
    }

    @Test func differentAddressesDiffer() {
        #expect(HostAddress("fe80::1%a") != HostAddress("fe80::1%b"))
        #expect(HostAddress("fe80::1%02") == HostAddress("fe80::1%2"))
        #expect(HostAddress("::1") != HostAddress("::2"))
        #expect(HostAddress("a") != HostAddress("b"))
    }

    /// Compares 50,000 texts of address characters with inet_pton(3).
    @Test func numericAddressesReadAsTheSystemReadsThem() {
        var generator = SystemRandomNumberGenerator()
        let pieces = ["0", "1", "12", "255", "256", "ffff", "a", "::", ":", ":", ":", ".", ".", "01", "10.0.0.1"]
        for _ in 0..<50_000 {
            let text = (0..<Int.random(in: 1...12, using: &generator)).map { _ in pieces.randomElement() ?? "" }
                .joined()
            var bytes = [UInt8](repeating: 0, count: 16)
            let isV4 = inet_pton(AF_INET, text, &bytes) == 1
            let isV6 = !isV4 && inet_pton(AF_INET6, text, &bytes) == 1
            switch HostAddress(text) {
            case .v4(let number):
                let number = number.bigEndian
                let ours = withUnsafeBytes(of: number) { Array($0) }
                let isMapped = isV6 && bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10...11] == [0xff, 0xff]
                #expect(isV4 && ours == Array(bytes.prefix(4)) || isMapped && ours == Array(bytes.suffix(4)), "\(text)")
            case .v6(let high, let low, _):
                let ours = withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
                #expect(isV6 && ours == bytes, "\(text)")
            case .name, nil: #expect(!isV4 && !isV6, "\(text)")
            }
        }
    }
}

/// Each id belongs to one run of a script, whatever the names are.
struct OperationIDTests {
    @Test(
        arguments: [
            ("r-1", "core-1", "core", OperationAction.step(name: "redeploy"), "r-1.core-1.core.redeploy.1"),
            ("r-1", "a.b", "core", .rollback, "r-1.a.b.core.rollback!.1"),
            ("r-1", "h", "l", .step(name: "rollback!"), "r-1.h.l.rollback!21.1"),
            ("r-1", "a", "b.c", .step(name: "d.e"), "r-1.a.b!2ec.d!2ee.1"),
        ] as [(RunID, HostName, LayerName, OperationAction, String)])
    func plainNamesAreKept(_ run: RunID, _ host: HostName, _ layer: LayerName, _ action: OperationAction, _ id: String)
    {
        #expect(
            OperationID(run: run, placement: Placement(host: host, layer: layer), action: action, attempt: 1).rawValue
                == id)
    }

    @Test func noTwoOperationsShareAnID() {
        let words = [
            "a", "b", "a.b", "a!", "!2e", "a!2eb", "rollback!", "revert!", "1", ".", "", "é", "e\u{301}", "a/b", "2",
        ]
        var seen: [String: [String]] = [:]
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<100_000 {
            let parts = (0..<4).map { _ in words.randomElement(using: &generator) ?? "" }
            let attempt = Int.random(in: 1...2, using: &generator)
            let isRollback = Bool.random(using: &generator)
            let placement = Placement(host: HostName(parts[1]), layer: LayerName(parts[2]))
            let action = isRollback ? OperationAction.rollback : .step(name: StepName(parts[3]))
            let id = OperationID(run: RunID(parts[0]), placement: placement, action: action, attempt: attempt)
            let what = [parts[0], parts[1], parts[2], isRollback ? "" : parts[3], "\(isRollback)", "\(attempt)"]
            // Compared as bytes: Swift's own `==` treats two encodings of a letter as equal.
            let key = id.rawValue.utf8.map { String($0) }.joined(separator: " ")
            let before = seen[key] ?? what
            #expect(zip(before, what).allSatisfy { $0.utf8.elementsEqual($1.utf8) }, "\(id): \(before) and \(what)")
            seen[key] = what
            #expect(id.belongs(to: RunID(parts[0])))
        }
    }

    @Test(
        arguments: [
            ("${host}", "core-1"), ("$${host}", "${host}"), ("$$${host}", "$${host}"), ("$host ${", "$host ${"),
            ("${address}:${var.x}", "10.0.0.1:y"), ("a${HOME:-x}b", "a${HOME:-x}b"),
            ("$\u{301}{host}", "$\u{301}{host}"),
            ("${host}\u{301}", "core-1\u{301}"), ("$$", "$$"), ("$${HOME:-x}", "${HOME:-x}"),
        ])
    func placeholdersAreReplacedOnce(_ text: String, _ expected: String) {
        let host = Host(
            name: "core-1", address: "10.0.0.1", user: "u", workingDirectory: "/srv", variables: ["x": "y"],
            placements: [])
        let version = VersionChange(from: "1", to: "2")
        let layer = PlanLayer(
            name: "core", version: version, components: [], steps: [],
            rollback: RollbackPosture(
                command: ScriptCommand(arguments: ["x"], timeoutSeconds: 1), boundary: .untilFinalize),
            batches: [], soakSeconds: 0, sampleSeconds: 1, healthyWithinSeconds: 1, progressDeadlineSeconds: 1,
            failedWhen: [])
        let surface = Surface(
            name: "s", source: .command(ScriptCommand(arguments: ["x"], timeoutSeconds: 1)),
            reader: Reader(shape: .result))
        let plan = Plan(
            name: "p", version: version, changeClass: .minor, reviews: [], evidence: [surface],
            materialization: ScriptCommand(arguments: ["x"], timeoutSeconds: 1), guardrails: [],
            representativePath: surface, layers: [layer])
        #expect(PlaceholderValues(host: host, layer: layer, of: plan, run: "r").expand(text) == expected)
    }
}
