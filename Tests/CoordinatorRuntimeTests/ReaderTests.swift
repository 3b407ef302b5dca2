import AgentProtocol
import Foundation
import Inventory
import PlanFiles
import RolloutEngine
import Testing
import UpgradeDomain

@testable import CoordinatorRuntime

/// Reads answers in the shapes of common systems with plan data alone, from the plan file to the typed items.
struct ReaderTests {
    static let noon = WallTime(clamping: 1_795_435_200_000)  // 2026-11-23T12:00:00Z

    static func text(_ path: String) throws -> String {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        return try String(contentsOf: here.appending(path: path).standardized, encoding: .utf8)
    }

    /// The example plan with the surfaces of Bodies/readers.yaml in front of its own.
    static func plan() throws -> Plan {
        let inventory = try InventoryFile.read(
            text: try text("../../inventory/examples/inventory.yaml"), file: "inventory.yaml"
        ).resolved(by: SSHConfigAnswers(configFile: nil, defaults: SSHConfigAnswer("user me")))
        let readers = try text("Bodies/readers.yaml")
        let plan = try text("../../inventory/examples/plan.yaml")
            .replacingOccurrences(of: "\nevidence:\n", with: "\nevidence:\n\(readers)")
        return try PlanFile.read(text: plan, file: "plan.yaml", inventory: inventory, at: WallTime(clamping: 1))
    }

    static func read(
        _ surface: SurfaceName, _ change: (String) -> String = { $0 }, status: Int? = nil, contentType: String? = nil
    ) throws -> SurfaceReading {
        let surface = try #require(try plan().evidence.first { $0.name == surface })
        let isHTTP = if case .http = surface.source { true } else { false }
        let body = change(try text("Bodies/\(surface.name).json"))
        let reply = SurfaceReply(
            name: surface.name, durationMilliseconds: 1, hostTime: noon, resultCode: status ?? (isHTTP ? 200 : 0),
            body: Bytes(Array(body.utf8)), truncated: false,
            contentType: contentType ?? (isHTTP ? "application/json; charset=utf-8" : nil))
        return EvidenceAssembly.reading(SurfaceOrder(surface: surface, role: .family), reply, rawDigest: nil)
    }

    /// If a command fails, the end of its output is kept and its exit is described.
    @Test func aCommandThatFailsSaysHowItExitedAndWhatItPrinted() throws {
        func reading(_ shape: ReaderShape, exit code: Int, _ body: String, _ errors: String?) -> SurfaceReading {
            let command = ScriptCommand(arguments: ["./x.sh"], timeoutSeconds: 1)
            let surface = Surface(name: "x", source: .command(command), reader: Reader(shape: shape))
            let reply = SurfaceReply(
                name: "x", durationMilliseconds: 1, hostTime: ReaderTests.noon, resultCode: code,
                body: Bytes(Array(body.utf8)), truncated: false, errors: errors.map { Bytes(Array($0.utf8)) })
            return EvidenceAssembly.reading(SurfaceOrder(surface: surface, role: .family), reply, rawDigest: nil)
        }
        let failed = reading(.statusMap, exit: 1, "one\ntwo\n", "psql: error: no route\n\n")
        #expect(failed.unknown?.detail == "exited with 1")
        #expect(failed.printed == ["one", "two", "psql: error: no route"])
        #expect(reading(.result, exit: 3, "", "no").printed == ["no"])
        #expect(reading(.result, exit: 0, "fine", "a warning").printed == nil)
        #expect(reading(.result, exit: 2, "", nil).printed == nil)
    }

    @Test(
        arguments: [
            (
                "spring",
                ["db": .healthy, "diskSpace": .healthy, "mail": .unhealthy, "ping": .healthy, "vault": .unknown]
            ),
            ("kubernetes", ["scheduler": .healthy, "controller-manager": .healthy, "etcd-0": .unhealthy]),
            (
                "compose",
                ["api": .healthy, "db": .healthy, "worker": .unhealthy, "migrate": .unhealthy, "mirror": .unknown]
            ),
            (
                "consul",
                [
                    "core-1/serfHealth": .healthy, "core-2/serfHealth": .unhealthy, "core-2/service:redis": .unhealthy,
                    "core-2/_node_maintenance": .unknown,
                ]
            ),
            ("prometheus", ["prometheus/127.0.0.1:9090": .healthy, "node/127.0.0.1:9100": .unhealthy]),
            ("queue", ["depth": .healthy, "p99 ms": .healthy, "workers": .healthy]),
        ] as [(SurfaceName, [String: Health])])
    func aPublishedShapeIsReadWithPlanDataAlone(_ surface: SurfaceName, _ expected: [String: Health]) throws {
        let reading = try ReaderTests.read(surface)
        #expect(reading.unknown == nil)
        #expect(Dictionary(uniqueKeysWithValues: reading.items.map { ($0.key, $0.health) }) == expected)
    }

    /// What is changed in an answer, and why it is then unknown.
    static let failures: [(SurfaceName, from: String, to: String, UnknownReason.Code)] = [
        ("spring", #""status": "UP","#, #""status": "DOWN","#, .errorBody),
        ("spring", #""components""#, #""component""#, .unparsable),
        ("kubernetes", "ComponentStatusList", "Status", .errorBody),
        ("kubernetes", #"{"name": "etcd-0"}"#, "{}", .unparsable),
        ("kubernetes", "etcd-0", "scheduler", .unparsable),
        ("compose", #"{"Command":"\"migrate\"""#, #"{"Command:"\"migrate\"""#, .unparsable),
        ("consul", "serfHealth\", \"Name", "service:redis\", \"Name", .unparsable),
        ("prometheus", "success", "error", .errorBody),
        ("prometheus", "11:59:48", "11:57:48", .stale),
        ("prometheus", #""lastScrape": "2026-11-23T11:59:31.503Z", "#, "", .stale),
    ]

    @Test(arguments: failures.indices)
    func anInvalidAnswerIsUnknown(_ index: Int) throws {
        let (surface, from, to, code) = ReaderTests.failures[index]
        let reading = try ReaderTests.read(surface) { body in
            #expect(body.contains(from), "\(surface) no longer holds \(from)")
            return body.replacingOccurrences(of: from, with: to)
        }
        #expect(reading.unknown?.code == code, "\(String(describing: reading.unknown))")
        #expect(reading.items.isEmpty)
    }

    /// The body matters only where it is read, not where only the status counts.
    @Test(arguments: [UnknownReason.Code.wrongContentType, .unacceptedStatus, .timedOut])
    func aBodyThatIsNotReadMayHaveAnyContent(_ code: UnknownReason.Code) {
        func reading(_ shape: ReaderShape, status: Int) -> SurfaceReading {
            let surface = Surface(
                name: "s", source: .http(HTTPSource(url: "http://127.0.0.1/", timeoutSeconds: 1)),
                reader: Reader(shape: shape))
            let reply = SurfaceReply(
                name: "s", durationMilliseconds: 1, hostTime: ReaderTests.noon, resultCode: status,
                body: Bytes(Array(#"{"a": "up"}"#.utf8)), truncated: false, failure: UnknownReason(code, "words"))
            return EvidenceAssembly.reading(SurfaceOrder(surface: surface, role: .family), reply, rawDigest: nil)
        }
        #expect(reading(.statusMap, status: 200).unknown?.detail == "words")
        guard code != .timedOut else {
            #expect(reading(.result, status: 200).unknown?.code == .timedOut)
            return
        }
        #expect(reading(.result, status: 200).items == [EvidenceItem(key: "result", value: "200", health: .healthy)])
        #expect(reading(.result, status: 302).items == [EvidenceItem(key: "result", value: "302", health: .unhealthy)])
    }

    /// Two long values that differ after the cut stay different in their shortened form.
    @Test func aLongValueIsShortenedAndStaysDistinct() {
        func kept(_ value: String) -> EvidenceItem? {
            let surface = Surface(
                name: "s", source: .http(HTTPSource(url: "http://127.0.0.1/", timeoutSeconds: 1)),
                reader: Reader(shape: .value, items: "/v", key: ["v"]))
            let reply = SurfaceReply(
                name: "s", durationMilliseconds: 1, hostTime: ReaderTests.noon, resultCode: 200,
                body: Bytes(Array(#"{"v": "\#(value)"}"#.utf8)), truncated: false)
            return EvidenceAssembly.reading(SurfaceOrder(surface: surface, role: .family), reply, rawDigest: nil).items
                .first
        }
        let start = String(repeating: "a", count: 200)
        #expect(kept(start)?.value == start)
        #expect(kept(start + "1")?.value != kept(start + "2")?.value)
        #expect(kept(start + "1")?.value.hasPrefix(start + "... (201 bytes, sha256 ") == true)
        // An endless sequence of combining marks is bounded, too.
        #expect((kept("a" + String(repeating: "\u{301}", count: 5_000))?.value.utf8.count ?? 0) < 600)
    }

    @Test func aBodyWithADuplicateNameIsNotADocument() {
        func document(_ text: String, _ format: BodyFormat = .json) -> Result<Answer, UnknownReason> {
            EvidenceAssembly.document(Array(text.utf8), format)
        }
        func unparsable(_ detail: String) -> Result<Answer, UnknownReason> {
            .failure(UnknownReason(.unparsable, detail))
        }
        #expect(document(#"{"a":1,"b":2}"#) == .success(.object(["a": .number("1"), "b": .number("2")])))
        #expect(
            document(#"{"status":"down","status":"up"}"#)
                == unparsable("the answer is not JSON: an object has the same name twice at byte 17"))
        #expect(
            document("{\"a\":1}\n{\"a\":1,\"a\":2}\n", .jsonLines)
                == unparsable("line 2 of the answer is not JSON: an object has the same name twice at byte 7"))
        #expect(document(" \n") == unparsable("the answer is empty"))
        // Some servers begin with a byte order mark.
        #expect(document("\u{feff}{\"a\":1}") == .success(.object(["a": .number("1")])))
    }

    @Test func linesOfNamesAndValuesAreADocument() {
        func document(_ text: String) -> Result<Answer, UnknownReason> {
            EvidenceAssembly.document(Array(text.utf8), .keyValues)
        }
        let lines = """
            # Server\r
            redis_version:7.0.15\r
            loading:0\r
            uptime: -3.5 \r
            maxmemory_human:0B\r
            \r
            Description=a: b=c
            server accepts handled requests
             16630948 16630948 31070465
            empty=
            : nothing
            """
        let members: [String: Answer] = [
            "redis_version": .string("7.0.15"), "loading": .number("0"), "uptime": .number("-3.5"),
            "maxmemory_human": .string("0B"), "Description": .string("a: b=c"), "empty": .string(""),
        ]
        #expect(document(lines) == .success(.object(members)))
        func unparsable(_ detail: String) -> Result<Answer, UnknownReason> {
            .failure(UnknownReason(.unparsable, detail))
        }
        let nothing = unparsable("no line of the answer is 'name: value' or 'name=value'")
        for text in ["", "\n", "NOAUTH Authentication required.\n", "# a: b\n", "=\n"] {
            #expect(document(text) == nothing, "\(text)")
        }
        #expect(
            document("a: 1\nb: 2\na = 1\n") == unparsable("line 3 of the answer has the same name as an earlier line"))
        for text in ["1.", ".5", "1.2.3", "-", "+1", "1e3", "0x1", "1 kB", "\u{0661}"] {
            #expect(document("a: \(text)") == .success(.object(["a": .string(text)])), "\(text)")
        }
    }

    @Test func aMeasureMayCountWhatIsThere() {
        func item(_ body: String, _ format: BodyFormat = .json) -> EvidenceItem? {
            let measure = Measure(name: "n", pointer: format == .json ? "/list" : "", counts: true, atMost: 1)
            let surface = Surface(
                name: "s", source: .command(ScriptCommand(arguments: ["x"], timeoutSeconds: 1)),
                reader: Reader(shape: .measures, format: format, measures: [measure]))
            let reply = SurfaceReply(
                name: "s", durationMilliseconds: 1, hostTime: ReaderTests.noon, resultCode: 0,
                body: Bytes(Array(body.utf8)), truncated: false)
            return EvidenceAssembly.reading(SurfaceOrder(surface: surface, role: .family), reply, rawDigest: nil).items
                .first
        }
        #expect(item(#"{"list": []}"#) == EvidenceItem(key: "n", value: "0", health: .healthy))
        #expect(item(#"{"list": {"a": 1, "b": 2}}"#) == EvidenceItem(key: "n", value: "2", health: .unhealthy))
        #expect(item(#"{"list": 3}"#) == EvidenceItem(key: "n", value: "(none)", health: .unknown))
        #expect(item("{}") == EvidenceItem(key: "n", value: "(none)", health: .unknown))
        #expect(item("", .jsonLines) == EvidenceItem(key: "n", value: "0", health: .healthy))
        #expect(item("{}\n{}\n", .jsonLines) == EvidenceItem(key: "n", value: "2", health: .unhealthy))
    }

    @Test func textIsAcceptedWhereTheFormatIsText() {
        func code(_ format: BodyFormat, _ type: String, _ accepted: [String] = []) -> UnknownReason.Code? {
            let surface = Surface(
                name: "s", source: .http(HTTPSource(url: "http://127.0.0.1/", timeoutSeconds: 1)),
                reader: Reader(shape: .statusMap, format: format, contentTypes: accepted))
            let reply = SurfaceReply(
                name: "s", durationMilliseconds: 1, hostTime: ReaderTests.noon, resultCode: 200,
                body: Bytes(Array((format == .keyValues ? "db: up" : #"{"db": "up"}"#).utf8)), truncated: false,
                contentType: type)
            return EvidenceAssembly.reading(SurfaceOrder(surface: surface, role: .family), reply, rawDigest: nil)
                .unknown?
                .code
        }
        #expect(code(.keyValues, "text/plain; charset=utf-8") == nil)
        #expect(code(.keyValues, "text/html") == .wrongContentType)
        #expect(code(.keyValues, "text/plain", ["text/x-info"]) == .wrongContentType)
        #expect(code(.json, "text/plain") == .wrongContentType)
    }

    @Test func aWrongContentTypeAndAWrongStatusAreUnknown() throws {
        #expect(try ReaderTests.read("spring", contentType: "text/html").unknown?.code == .wrongContentType)
        #expect(try ReaderTests.read("spring", contentType: "application/vnd.spring+json").unknown == nil)
        #expect(try ReaderTests.read("spring", status: 503).unknown == nil)
        #expect(try ReaderTests.read("spring", status: 429).unknown?.code == .unacceptedStatus)
        #expect(try ReaderTests.read("prometheus", { _ in "" }).unknown?.code == .unparsable)
        #expect(try ReaderTests.read("compose", { _ in "" }).unknown?.code == .noItems)
        #expect(try ReaderTests.read("consul", { _ in "[]" }).unknown?.code == .noItems)
    }

    /// A number before and after, and the verdict on the change.
    @Test(
        arguments: [
            ("\"depth\": 40", "\"depth\": 60", "depth", .same), ("\"depth\": 40", "\"depth\": 61", "depth", .regressed),
            ("\"depth\": 40", "\"depth\": 0", "depth", .same),
            ("\"depth\": 40", "\"depth\": 1001", "depth", .regressed),
            ("\"depth\": 40", "\"depth\": \"40\"", "depth", .unknown), ("\"depth\"", "\"deep\"", "depth", .unknown),
            ("21.5", "23.6", "p99 ms", .same), ("21.5", "23.7", "p99 ms", .regressed),
            ("\"workers\": 4", "\"workers\": 5", "workers", .same),
            ("\"workers\": 4", "\"workers\": 3", "workers", .regressed),
            ("\"workers\": 4", "\"workers\": 0", "workers", .regressed),
        ] as [(String, String, String, DeltaVerdict)])
    func aNumberMayMoveWithinItsTolerance(_ from: String, _ to: String, _ item: String, _ verdict: DeltaVerdict) throws
    {
        func capture(_ reading: SurfaceReading) -> Capture {
            Capture(subject: .fleet, takenAt: ReaderTests.noon, surfaces: [reading])
        }
        let before = capture(try ReaderTests.read("queue"))
        let after = capture(try ReaderTests.read("queue") { $0.replacingOccurrences(of: from, with: to) })
        let deltas = EvidenceComparison.deltas(
            before: before, after: after, expects: [], measures: try ReaderTests.plan().measures(in: nil))
        #expect(deltas.first { $0.item == item }?.verdict == verdict)
    }
}

extension ReaderTests {
    @Test func thePageShowsTheReadersThatAreTested() throws {
        #expect(try ReaderTests.text("../../docs/evidence.md").contains(try ReaderTests.text("Bodies/readers.yaml")))
    }
}
