import AgentProtocol
import Foundation
import Glibc
import TestSupport
import Testing
import UpgradeDomain

/// A change that is not confirmed over a newer session is reverted once by its host, with or without a coordinator.
@Suite struct ConfirmationTests {
    static let id: OperationID = "op"
    static let revertID: OperationID = "op.revert!"

    private func request(_ host: HostUnderTest, withinSeconds: Int, change: String = "echo changed >> counter")
        -> StartRequest
    {
        host.start(
            ConfirmationTests.id, ScriptCommand(arguments: ["sh", "-c", change], timeoutSeconds: 20),
            revertsWithinSeconds: withinSeconds, revert: "echo reverted $LOCKFLIGHT_OPERATION >> counter")
    }

    private func confirm(_ session: AgentUnderTest) throws -> AgentReply {
        try session.ask(.confirm(ConfirmRequest(operation: ConfirmationTests.id)))
    }

    @Test func aConfirmedChangeStays() throws {
        let host = try HostUnderTest()
        let first = try host.session()
        #expect(try first.run(request(host, withinSeconds: 20)).record.outcome == .exited(code: 0))
        // A connection from before the change proves nothing.
        #expect(try first.refusal(.confirm(ConfirmRequest(operation: ConfirmationTests.id))) == .notNewer)
        // Nothing else may run until the change is confirmed or reverted.
        #expect(try first.refusal(.start(host.start("other", "true"))) == .busy)
        let second = try host.session()
        #expect(try confirm(second) == .confirmed(id: ConfirmationTests.id))
        #expect(try confirm(second) == .confirmed(id: ConfirmationTests.id))
        try blockUntil("the supervisor leaves") { try host.supervisorPID(of: ConfirmationTests.id) == nil }
        #expect(try second.run(host.start("other", "echo other >> counter")).record.outcome == .exited(code: 0))
        #expect(host.lines(of: "counter") == ["changed", "other"])
    }

    @Test(arguments: ["echo changed >> counter", "echo changed >> counter; exit 3"])
    func anUnconfirmedChangeIsRevertedWithNoCoordinatorConnected(_ change: String) throws {
        let host = try HostUnderTest()
        let first = try host.session()
        _ = try first.run(request(host, withinSeconds: 1, change: change))
        first.kill()
        first.waitUntilEnded()
        try blockUntil("the way back") { host.lines(of: "counter").count == 2 }
        #expect(host.lines(of: "counter") == ["changed", "reverted op.revert!"])
        let later = try host.session(epoch: 2)
        #expect(try confirm(later) == .running(id: ConfirmationTests.revertID))
        let (record, _) = try later.follow(ConfirmationTests.revertID)
        #expect(record.id == ConfirmationTests.revertID)
        #expect(record.outcome == .exited(code: 0))
        // The decision is final.
        #expect(try confirm(later) == .running(id: ConfirmationTests.revertID))
        #expect(host.lines(of: "counter").count == 2)
    }

    @Test func aChangeThatNeverRanIsNotReverted() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        var start = request(host, withinSeconds: 1)
        start.guardrails = [ScriptCommand(arguments: ["sh", "-c", "exit 4"], timeoutSeconds: 5)]
        guard case .guardrailRefused = try session.run(start).record.outcome else {
            Issue.record("not refused")
            return
        }
        try blockUntil("the supervisor leaves") { try host.supervisorPID(of: ConfirmationTests.id) == nil }
        #expect(host.lines(of: "counter").isEmpty)
        #expect(!FileManager.default.fileExists(atPath: host.state.appending(path: "operations/op.revert!").path))
    }

    @Test func aLowerEpochConfirmsNothing() throws {
        let host = try HostUnderTest()
        let first = try host.session()
        _ = try first.run(request(host, withinSeconds: 1))
        let older = try host.session()
        _ = try host.session(epoch: 2)
        #expect(try older.refusal(.confirm(ConfirmRequest(operation: ConfirmationTests.id))) == .staleEpoch)
        try blockUntil("the way back") { host.lines(of: "counter").count == 2 }
    }

    /// The decision is one file that is complete or absent: whenever the supervisor dies, a change is reverted once, or
    /// not at all and the record says so.
    @Test func aSupervisorThatIsKilledWhileItWaitsNeverGoesBackTwice() throws {
        for pause in Array(stride(from: 0, through: 900_000, by: 300_000))
            + Array(stride(from: 998_000, to: 1_040_000, by: 2_000))
        {
            let host = try HostUnderTest()
            _ = try host.session().run(request(host, withinSeconds: 1))
            // On a slow machine the change may already be reverted when the supervisor is found.
            let supervisor = try host.supervisorPID(of: ConfirmationTests.id)
            afterMicroseconds(pause) { if let supervisor { Glibc.kill(supervisor, SIGKILL) } }
            try blockUntil("the supervisor's end") { try host.supervisorPID(of: ConfirmationTests.id) == nil }
            let later = try host.session()
            switch try confirm(later) {
            case .confirmed: #expect(host.lines(of: "counter") == ["changed"])
            case .running(ConfirmationTests.revertID):
                let record = try later.follow(ConfirmationTests.revertID).record
                #expect(host.lines(of: "counter").count <= 2)
                if record.outcome == .exited(code: 0) { #expect(host.lines(of: "counter").count == 2) }
            case let other: Issue.record("unexpected \(other)")
            }
        }
    }
}
