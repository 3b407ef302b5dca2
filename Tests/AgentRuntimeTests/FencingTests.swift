import AgentProtocol
import Foundation
import Testing
import UpgradeDomain

/// Tests which coordinator may drive a host.
@Suite struct FencingTests {
    private func hello(_ ledger: LedgerID, _ epoch: Epoch?, takeOver: Bool = false) -> AgentRequest {
        .hello(HelloRequest(ledger: ledger, epoch: epoch, takeOver: takeOver))
    }

    @Test func theIdentityAndTheFenceOutliveTheAgent() throws {
        let host = try HostUnderTest()
        var identities: Set<AgentIdentity> = []
        for epoch: Epoch? in [nil, 4, nil] {
            let session = try host.session(hello: false)
            guard case .hello(let reply) = try session.ask(hello("a", epoch)) else { throw Surprise("no hello") }
            identities.insert(reply.identity)
            if epoch == nil { continue }
            #expect(reply.owner == "a")
            #expect(reply.highestEpoch == 4)
        }
        #expect(identities.count == 1)
        #expect(try host.session(hello: false).refusal(hello("a", 3)) == .staleEpoch)
        #expect(try host.session(hello: false).refusal(hello("b", 9)) == .ownedElsewhere)
    }

    @Test func anotherLedgerTakesOverAHostOnlyOnRequest() throws {
        let host = try HostUnderTest()
        let old = try host.session(ledger: "a", epoch: 7)
        _ = try host.session(ledger: "b", epoch: 1, takeOver: true)
        #expect(try old.refusal(.start(host.start("op", "echo ran >> counter", epoch: 7))) == .ownedElsewhere)
        #expect(try old.refusal(.settle(SettleRequest(operation: "op"))) == .ownedElsewhere)
        #expect(host.lines(of: "counter").isEmpty)
    }

    @Test func aCoordinatorThatWakesUpLateChangesNothing() throws {
        let host = try HostUnderTest()
        let old = try host.session(epoch: 1)
        _ = try host.session(epoch: 2)
        #expect(try old.refusal(.start(host.start("op", "echo ran >> counter", epoch: 1))) == .staleEpoch)
        #expect(try old.refusal(.settle(SettleRequest(operation: "op"))) == .staleEpoch)
        #expect(host.lines(of: "counter").isEmpty)
    }

    @Test func theHostLogsEachCoordinatorThatItRefuses() throws {
        let host = try HostUnderTest()
        let old = try host.session(ledger: "a", epoch: 1)
        _ = try host.session(ledger: "a", epoch: 2)
        #expect(host.lines(of: "state/refusals.log").isEmpty)
        #expect(try old.refusal(.start(host.start("op", "true", epoch: 1))) == .staleEpoch)
        #expect(try host.session(hello: false).refusal(hello("b\u{1b}[2J\n", 7)) == .ownedElsewhere)
        var lines = host.lines(of: "state/refusals.log")
        #expect(lines.count == 2)
        #expect(lines[0].contains(" refused staleEpoch ledger=a epoch=1: "), "\(lines)")
        #expect(lines[1].contains(" refused ownedElsewhere ledger=b?[2J? epoch=7: "), "\(lines)")

        let stubborn = try host.session(hello: false)
        for _ in 0..<250 { #expect(try stubborn.refusal(hello("a", 1)) == .staleEpoch) }
        lines = host.lines(of: "state/refusals.log")
        #expect(lines.count == 200)
        #expect(lines.allSatisfy { $0.contains("staleEpoch") })
    }

    @Test func anIntentOfAnotherEpochIsRefused() throws {
        let host = try HostUnderTest()
        let session = try host.session(epoch: 5)
        #expect(try session.refusal(.start(host.start("op", "true", epoch: 4))) == .staleEpoch)
    }

    @Test func aSessionWithoutAnEpochOnlyReads() throws {
        let host = try HostUnderTest()
        let session = try host.session(epoch: nil)
        #expect(try session.refusal(.start(host.start("op", "true"))) == .readOnly)
        #expect(try session.refusal(.settle(SettleRequest(operation: "op"))) == .readOnly)
        let preflight = PreflightRequest(
            run: "r-1", workingDirectory: host.folder.path, commands: [], requires: [], preserve: ["boot-id"])
        #expect(try session.refusal(.preflight(preflight)) == .readOnly)
        #expect(try session.ask(.journal) == .journal(JournalReply(entries: [])))
    }

    @Test func onlyTheDriverLeavesARunHeadAndTheNewestIsKept() throws {
        let host = try HostUnderTest()
        func head(_ digit: Character, of run: RunID = "r-1") -> RunHead {
            RunHead(run: run, chainHead: Digest("sha256:" + String(repeating: digit, count: 64)))
        }
        func capture(_ head: RunHead) -> AgentRequest {
            .capture(CaptureRequest(workingDirectory: host.folder.path, surfaces: [], head: head))
        }
        let first = try host.session(epoch: 1)
        for head in [head("a"), head("b"), head("c", of: "r-2")] { #expect(try first.ask(capture(head)) == .captured) }
        let kept = [head("b"), head("c", of: "r-2")]
        #expect(try first.ask(.journal) == .journal(JournalReply(entries: [], heads: kept)))

        #expect(try host.session(epoch: nil).refusal(capture(head("d"))) == .readOnly)
        _ = try host.session(ledger: "ledger-b", epoch: 2, takeOver: true)
        #expect(try first.refusal(capture(head("d"))) == .ownedElsewhere)
        // An agent answers in its coordinator's protocol version.
        let old = try host.session(hello: false)
        _ = try old.ask(.hello(HelloRequest(protocols: [1], ledger: "ledger-b", epoch: nil)))
        #expect(try old.ask(.journal) == .journal(JournalReply(entries: [])))
        let new = try host.session(ledger: "ledger-b", epoch: nil)
        #expect(try new.ask(.journal) == .journal(JournalReply(entries: [], heads: kept)))
    }

    /// Anyone who can write to the state folder could forge who drives and what ran.
    @Test(arguments: [0o777, 0o770, 0o1777])
    func aStateFolderThatOthersMayWriteIsNotTrusted(mode: Int) throws {
        let host = try HostUnderTest()
        _ = try host.session()
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: host.state.path)
        let reply = try host.session(hello: false).ask(.hello(HelloRequest(ledger: "ledger-a", epoch: 2)))
        guard case .refused(let refusal) = reply else { throw Surprise("\(reply)") }
        #expect(refusal.message.contains("chmod 700 \(host.state.path)"), "\(refusal.message)")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: host.state.path)
        _ = try host.session(epoch: 2)
    }

    @Test func nothingIsAnsweredBeforeHelloOrWithoutACommonProtocol() throws {
        let host = try HostUnderTest()
        let session = try host.session(hello: false)
        #expect(try session.refusal(.journal) == .helloFirst)
        #expect(try session.refusal(.hello(HelloRequest(protocols: [99], ledger: "a", epoch: 1))) == .noCommonProtocol)
        #expect(try session.refusal(.start(host.start("op", "true"))) == .helloFirst)
    }

    @Test(arguments: [([1], 1), ([2, 1], 2), ([1, 2], 2), ([99, 1], 1)])
    func theNewestCommonProtocolIsChosen(offered: [Int], spoken: Int) throws {
        let host = try HostUnderTest()
        let session = try host.session(hello: false)
        let reply = try session.ask(.hello(HelloRequest(protocols: offered, ledger: "a", epoch: 1)))
        guard case .hello(let hello) = reply else { throw Surprise("no hello") }
        #expect(hello.protocolVersion == spoken)
    }
}
