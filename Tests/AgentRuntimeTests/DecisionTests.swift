import AgentProtocol
import Foundation
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// Tests the agent's decisions without starting processes.
@Suite struct DecisionTests {
    @Test(arguments: [
        (
            HostFence.unowned, Epoch(0), false, HostFence?.some(HostFence(owner: "a", highestEpoch: 0)),
            Refusal.Code?.none
        ),
        (HostFence(owner: "a", highestEpoch: 3), 3, false, HostFence(owner: "a", highestEpoch: 3), nil),
        (HostFence(owner: "a", highestEpoch: 3), 4, false, HostFence(owner: "a", highestEpoch: 4), nil),
        (HostFence(owner: "a", highestEpoch: 3), 2, false, nil, .staleEpoch),
        (HostFence(owner: "a", highestEpoch: 3), 2, true, HostFence(owner: "a", highestEpoch: 2), nil),
        // A copy of the ledger issued the same epoch.
        (HostFence(owner: "a", highestEpoch: 3, token: "t"), 3, false, nil, .staleEpoch),
        (HostFence(owner: "a", highestEpoch: 3, token: "t"), 4, false, HostFence(owner: "a", highestEpoch: 4), nil),
        (HostFence(owner: "b", highestEpoch: 3), 9, false, nil, .ownedElsewhere),
        (HostFence(owner: "b", highestEpoch: 3), 1, true, HostFence(owner: "a", highestEpoch: 1), nil),
        // As far as a restored ledger raises the epoch, but not so far that no driver could exceed it.
        (.unowned, 4_294_967_296, false, HostFence(owner: "a", highestEpoch: 4_294_967_296), nil),
        (.unowned, 4_294_967_297, false, nil, .limitExceeded), (.unowned, .highest, false, nil, .limitExceeded),
        (HostFence(owner: "a", highestEpoch: 3), 4_294_967_300, false, nil, .limitExceeded),
        (HostFence(owner: "b", highestEpoch: 3), .highest, true, nil, .limitExceeded),
    ])
    func aHelloMovesTheFence(
        before: HostFence, epoch: Epoch, takeOver: Bool, after: HostFence?, refusal: Refusal.Code?
    ) {
        do {
            #expect(try before.admitting(ledger: "a", epoch: epoch, token: nil, takeOver: takeOver) == after)
        } catch {
            #expect(error.code == refusal)
        }
    }

    /// The same epoch from a copy of the ledger, including builds that did not know tokens.
    @Test(arguments: [("t", "t", true), (nil, nil, true), ("t", "u", false), ("t", nil, false), (nil, "t", false)])
    func anEpochDrivesWithOneTokenOnly(seen: LeaseToken?, own: LeaseToken?, isAdmitted: Bool) throws {
        let fence = HostFence(owner: "a", highestEpoch: 3, token: seen)
        let driver = Session.Driver(ledger: "a", epoch: 3, token: own)
        guard !isAdmitted else {
            #expect(try fence.admitting(ledger: "a", epoch: 3, token: own, takeOver: false) == fence)
            try fence.check(driver)
            return
        }
        for judge in [
            { try fence.check(driver) },
            { _ = try fence.admitting(ledger: "a", epoch: 3, token: own, takeOver: false) },
        ] {
            #expect(#expect(throws: Refusal.self) { try judge() }?.code == .staleEpoch)
        }
    }

    @Test func onlyACompleteRecordCountsAsAnEnd() throws {
        let host = try HostUnderTest()
        let intent = JournaledIntent(
            request: host.start("op", "true"), bootID: "b1", begunAt: WallTime(clamping: 0))
        let record = OperationRecord(id: "op", outcome: .exited(code: 0))
        func standing(
            tombstoned: Bool = false, intent: JournaledIntent? = intent, hasRecord: Bool = false,
            record: OperationRecord? = nil, lives: Bool = false, boot: String = "b1"
        ) -> OperationStanding {
            OperationStanding(
                .init(
                    isTombstoned: tombstoned, intent: intent, hasRecord: hasRecord, record: record,
                    supervisorLives: lives,
                    bootID: boot))
        }
        #expect(standing(intent: nil) == .unknown)
        #expect(standing(tombstoned: true, intent: nil) == .tombstoned)
        #expect(standing(hasRecord: true, record: record, boot: "b2") == .ended(intent, record))
        #expect(standing(lives: true) == .running(intent))
        #expect(standing() == .lost(intent, .interrupted(detail: "its supervisor on the host was killed")))
        #expect(standing(lives: true, boot: "b2") == .lost(intent, .rebooted))
        guard case .ended(_, let damaged) = standing(hasRecord: true) else { throw Surprise("not ended") }
        #expect(damaged.outcome == .interrupted(detail: "its record on the host is damaged"))
    }

    @Test(arguments: [
        "", ".", "..", ".hidden", "a/b", "../x", "a b", "é", "sha256-x", String(repeating: "a", count: 201),
    ])
    func anUnusualIDBecomesAPlainFileName(text: String) {
        let name = StateFolder.fileName(of: text)
        #expect(name.hasPrefix("sha256-"))
        #expect(name.utf8.count == 71)
    }

    @Test func anOrdinaryIDIsItsOwnFileName() {
        #expect(StateFolder.fileName(of: "r-1.core-2.core.rollback!.1") == "r-1.core-2.core.rollback!.1")
    }

    @Test func aFileWrittenOnceIsNotOverwritten() throws {
        let host = try HostUnderTest()
        let folder = Folder(path: host.folder.path)
        try folder.reserve("reserve", bytes: 65_536)
        #expect(try folder.writeOnce("result", [1, 2], reserve: "reserve"))
        #expect(try !folder.writeOnce("result", [3]))
        #expect(try folder.read("result") == [1, 2])
        #expect(!folder.contains("reserve"))
    }

    @Test(arguments: [
        ("http://127.0.0.1:8080/a?b#c", HTTPTarget.Route.address("127.0.0.1", port: 8080), "127.0.0.1:8080", "/a?b"),
        ("http://localhost", .address("127.0.0.1", port: 80), "localhost", "/"),
        ("http://[::1]:81?x", .address("::1", port: 81), "[::1]:81", "/?x"),
        ("http://stack.example/", .curl, "stack.example", "/"),
        ("HTTPS://10.0.0.1/", .curl, "10.0.0.1", "/"),
    ])
    func aURLNamesItsRoute(url: String, route: HTTPTarget.Route, authority: String, path: String) throws {
        let target = try HTTPTarget(url: url)
        #expect(target.route == route)
        #expect(target.authority == authority)
        #expect(target.path == path)
    }

    @Test(arguments: [
        "", "127.0.0.1", "ftp://x/", "http:/x", "http:///x", "http://a b/", "http://u@h/", "http://h:0/",
        "http://h:65536/",
        "http://[::1/", "http://h:x/", "http://h/\r\nX: y", "file:///etc/passwd",
    ])
    func anythingElseIsNotAURL(text: String) { #expect(throws: ServiceURL.Fault.self) { try HTTPTarget(url: text) } }

    /// The kernel's table is read in pieces; a listener in any piece is found, and a connection never counts as one.
    @Test func aListenerIsFoundAmongMany() throws {
        var sockets: [(descriptor: Int32, port: UInt16)] = []
        defer { for socket in sockets { close(socket.descriptor) } }
        for _ in 0..<120 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var place = sockaddr_in()
            place.sin_family = sa_family_t(AF_INET)
            place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let port = try withUnsafeMutablePointer(to: &place) { pointer in
                try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    try #require(bind(descriptor, address, size) == 0 && listen(descriptor, 1) == 0)
                    try #require(getsockname(descriptor, address, &size) == 0)
                }
                return UInt16(bigEndian: pointer.pointee.sin_port)
            }
            sockets.append((descriptor, port))
        }
        for (_, port) in sockets { #expect(ListeningPort("127.0.0.1:\(port)")?.listener() == getpid()) }
        let gone = sockets.removeLast()
        close(gone.descriptor)
        #expect(ListeningPort("127.0.0.1:\(gone.port)")?.listener() == nil)
    }

    @Test(
        arguments: [
            (
                60,
                "HTTP/1.1 200\r\ncurl: (60) SSL certificate problem: self-signed certificate\nMore details here: https://curl.se\n",
                UnknownReason.Code.untrusted,
                "the certificate of https://a/ is not trusted: SSL certificate problem: self-signed certificate; tls.caFile names what to trust"
            ),
            (6, "curl: (6) Could not resolve host: a\r\n", .unreachable, "https://a/: Could not resolve host: a"),
            (
                77, "curl: (77) error setting certificate file: /x", .notRun,
                "tls.caFile can not be used for https://a/: error setting certificate file: /x"
            ),
            (99, "", .unreachable, "https://a/: curl exited 99 (see curl(1), exit codes)"),
        ])
    func curlsErrorMessageIsReported(_ code: Int, _ output: String, _ expected: UnknownReason.Code, _ detail: String) {
        let source = HTTPSource(url: "https://a/", timeoutSeconds: 1)
        let failure = CurlCapture.failure(of: source, code, saying: Array(output.utf8))
        #expect(failure == UnknownReason(expected, detail))
    }

    @Test func curlsHeadersAreCutOff() {
        let output = Array("HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/2 201 \r\nC: d\r\n\r\nbody\r\n\r\n".utf8)
        let answer = CurlCapture.parse(output, isTruncated: false)
        #expect(answer.status == 201)
        #expect(answer.body == Array("body\r\n\r\n".utf8))
        #expect(CurlCapture.parse(Array("HTTP/1.1 200 OK\r\nA".utf8), isTruncated: true).failure?.code == .unreachable)
        #expect(CurlCapture.parse([], isTruncated: false).failure?.code == .unreachable)
    }

    @Test func aProcessNameMayContainAnything() throws {
        let stat = "12 (a) (b c)) S 1 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1"
        let status = try #require(ProcessStatus(pid: 12, stat: Array(stat.utf8)))
        #expect(status.state == "S")
        #expect(status.group == 77)
        #expect(status.startTicks == 4_242)
        #expect(ProcessStatus(pid: 12, stat: Array("12 (x".utf8)) == nil)
    }

    @Test func relativePathsAreResolvedAgainstTheirDirectory() {
        #expect(absolutePath("./a//b/.", in: "/w") == "/w/a/b")
        #expect(absolutePath("/x/../y", in: "/w") == "/x/../y")
        #expect(absolutePath("", in: "/w") == "/w")
    }
}
