import AgentProtocol
import Foundation
import TestSupport
import Testing
import UpgradeDomain

/// Tests what survives the end of sessions, supervisors and boots.
@Suite struct DurabilityTests {
    @Test func anIDIsNeverRunTwice() throws {
        let host = try HostUnderTest()
        let request = host.start("op", "echo ran >> counter")
        let session = try host.session()
        _ = try session.run(request)
        #expect(try session.ask(.start(request)) == .started(id: "op"))
        #expect(try host.session().ask(.start(request)) == .started(id: "op"))
        #expect(try session.refusal(.start(host.start("op", "echo other >> counter"))) == .operationSeen)
        #expect(try session.follow("op").record.outcome == .exited(code: 0))
        #expect(host.lines(of: "counter") == ["ran"])
    }

    @Test func twoRacingSessionsStartEachIDOnceAndOneAtATime() throws {
        let host = try HostUnderTest()
        let sessions = [try host.session(), try host.session()]
        let script = "mkdir turn || echo overlap >> overlaps; echo $LOCKFLIGHT_OPERATION >> counter; rmdir turn"
        var started: [OperationID] = []
        for round in 0..<100 {
            // Even rounds race for one id, odd rounds for the host.
            let ids = round % 2 == 0 ? ["s\(round)", "s\(round)"] : ["a\(round)", "b\(round)"]
            let asked = try zip(sessions, ids).map { session, id in
                try session.send(.start(host.start(OperationID(id), script)))
            }
            for (index, session) in sessions.enumerated() {
                let id = OperationID(ids[index])
                switch try session.reply(to: asked[index]) {
                case .started: started.append(id)
                case .refused(let refusal): #expect(refusal.code == .busy)
                case let other: Issue.record("unexpected \(other)")
                }
            }
            for id in Set(ids.map { OperationID($0) }) where started.contains(id) {
                #expect(try sessions[0].follow(id).record.outcome == .exited(code: 0))
            }
        }
        #expect(host.lines(of: "counter").sorted() == Set(started.map(\.rawValue)).sorted())
        #expect(started.count >= 150)
        #expect(host.lines(of: "overlaps").isEmpty)
    }

    @Test func anOperationSurvivesTheDeathOfItsSession() throws {
        let host = try HostUnderTest()
        let first = try host.session()
        try first.begin(host.start("op", "printf first-; while [ ! -e go ]; do sleep 0.05; done; echo last"))
        try blockUntil("output") { host.lines(of: "state/operations/op/output") == ["first-"] }
        first.kill()
        first.waitUntilEnded()
        try host.write("go", "")
        let (record, output) = try host.session().follow("op", fromByte: 6)
        #expect(record.outcome == .exited(code: 0))
        #expect(output == "last\n")
        #expect(record.outputTail == "first-last\n")
    }

    @Test func aKilledSupervisorLeavesAnInterruptedOperationAndABusyHost() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        try session.begin(host.start("op", "echo $$ > leader; echo begun; exec sleep 60"))
        let attached = try session.send(.attach(AttachRequest(operation: "op", fromByte: 0)))
        try blockUntil("the script runs") { host.lines(of: "state/operations/op/output") == ["begun"] }
        let supervisor = try #require(try host.supervisorPID(of: "op"))
        kill(supervisor, SIGKILL)
        var reply = try session.reply(to: attached)
        while case .output = reply { reply = try session.reply(to: attached) }
        guard case .ended(let record) = reply, case .interrupted = record.outcome else { throw Surprise("\(reply)") }
        #expect(record.outputTail == "begun\n")
        #expect(try session.ask(.settle(SettleRequest(operation: "op"))) == .ended(record))

        #expect(try session.refusal(.start(host.start("next", "true"))) == .busy)
        kill(try #require(host.lines(of: "leader").first.flatMap { Int32($0) }), SIGKILL)
        try blockUntil("the host is quiet again") {
            if case .started = try session.ask(.start(host.start("next", "true"))) { return true }
            return false
        }
        #expect(
            try session.ask(.start(host.start("op", "echo $$ > leader; echo begun; exec sleep 60")))
                == .started(id: "op"))
        #expect(try session.follow("op").record == record)
    }

    @Test func anotherBootInterruptsAnOperationForGood() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        try session.begin(host.start("op", "while [ ! -e go ]; do sleep 0.05; done"))
        try host.reboot()
        let (record, _) = try host.session().follow("op")
        #expect(record.outcome == .rebooted)
        // Only a simulated reboot leaves the script alive; its late end must not replace the record.
        try host.write("go", "")
        try blockUntil("the supervisor has left") { try host.supervisorPID(of: "op") == nil }
        #expect(try session.follow("op").record == record)
    }

    @Test func anIntentWithoutASupervisorIsInterrupted() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        _ = try session.run(host.start("op", "true"))
        try blockUntil("the supervisor has left") { try host.supervisorPID(of: "op") == nil }
        // As if the agent had died between its last two steps: no record, and the lock is free.
        try FileManager.default.removeItem(at: host.state.appending(path: "operations/op/result.json"))
        guard case .ended(let record) = try session.ask(.settle(SettleRequest(operation: "op"))) else {
            throw Surprise("not settled")
        }
        #expect(record.outcome == .interrupted(detail: "its supervisor on the host was killed"))
    }

    @Test func aFolderWithoutAnIntentCountsAsNeverBegun() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        let torn = host.state.appending(path: "operations/op")
        try FileManager.default.createDirectory(at: torn, withIntermediateDirectories: true)
        try Data("{\"requ".utf8).write(to: torn.appending(path: ".intent.json.1"))
        #expect(try session.run(host.start("op", "true")).record.outcome == .exited(code: 0))
    }

    @Test func aDamagedRecordIsInterruptedNeverSuccess() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        _ = try session.run(host.start("op", "true"))
        try Data("{\"id\":\"op\",\"outc".utf8).write(to: host.state.appending(path: "operations/op/result.json"))
        let (record, _) = try session.follow("op")
        #expect(record.outcome == .interrupted(detail: "its record on the host is damaged"))
    }

    @Test func aSettledIDThatNeverArrivedIsRefusedForever() throws {
        let host = try HostUnderTest()
        #expect(try host.session().ask(.settle(SettleRequest(operation: "late"))) == .tombstoned(id: "late"))
        let session = try host.session()
        #expect(try session.refusal(.start(host.start("late", "echo ran >> counter"))) == .operationSeen)
        #expect(try session.ask(.settle(SettleRequest(operation: "late"))) == .tombstoned(id: "late"))
        #expect(try session.ask(.attach(AttachRequest(operation: "late", fromByte: 0))) == .tombstoned(id: "late"))
        #expect(try session.refusal(.attach(AttachRequest(operation: "other", fromByte: 0))) == .unknownOperation)
        #expect(host.lines(of: "counter").isEmpty)
    }

    @Test func theJournalListsWhatRanAndWhatMayNot() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        _ = try session.run(host.start("../../escape", "exit 4"))
        _ = try session.ask(.settle(SettleRequest(operation: "late")))
        guard case .journal(let journal) = try session.ask(.journal) else { throw Surprise("no journal") }
        let states = Dictionary(uniqueKeysWithValues: journal.entries.map { ($0.operation, $0.state) })
        #expect(states == ["../../escape": .ended(.exited(code: 4)), "late": .tombstoned])
    }

    @Test func anAgentKilledAtAnyInstantOfAStartLeavesNoDoubt() throws {
        let host = try HostUnderTest()
        var begun: Set<Bool> = []
        // The kills are spread over twice the duration of a start, which is measured again as the machine gets slower
        // or faster, so that the critical instant stays in the middle.
        let whole = try host.session()
        let begin = ContinuousClock.now
        try whole.begin(host.start("whole", "true"))
        var startMicroseconds = (ContinuousClock.now - begin) / .microseconds(1)
        for step in 0..<60 {
            let id = OperationID("op\(step)")
            let session = try host.session()
            _ = try session.send(.start(host.start(id, "echo $LOCKFLIGHT_OPERATION >> counter")))
            let share = Double(step % 10) / 5
            afterMicroseconds(Int(share * startMicroseconds)) { session.kill() }
            session.waitUntilEnded()
            let next = try host.session()
            var settled = try next.ask(.settle(SettleRequest(operation: id)))
            if case .running = settled { settled = .ended(try next.follow(id).record) }
            let runs = host.lines(of: "counter").filter { $0 == id.rawValue }.count
            switch settled {
            case .tombstoned: #expect(runs == 0)
            case .ended(let record) where record.outcome == .exited(code: 0): #expect(runs == 1)
            case .ended(let record):
                guard case .interrupted = record.outcome else { throw Surprise("\(record.outcome)") }
                #expect(runs == 0)
            case let other: throw Surprise("\(other)")
            }
            let wasBegun = settled != .tombstoned(id: id)
            begun.insert(wasBegun)
            if wasBegun, share < 1 { startMicroseconds /= 1.5 }
            if !wasBegun, share >= 1 { startMicroseconds *= 1.5 }
        }
        // Kills must have hit both before and after the instant.
        #expect(begun == [false, true])
    }

    @Test func aSupervisorKilledAtAnyInstantNeverLeavesAFalseSuccess() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        for step in 0..<40 {
            let id = OperationID("op\(step)")
            try session.begin(host.start(id, "echo $LOCKFLIGHT_OPERATION >> counter"))
            let supervisor = try host.supervisorPID(of: id)
            afterMicroseconds(step * 200) { if let supervisor { kill(supervisor, SIGKILL) } }
            let record = try session.follow(id).record
            // The script may outlive its supervisor; the host is busy until it has ended.
            try blockUntil("the host is quiet") {
                if case .started = try session.ask(.start(host.start(OperationID("after-\(id)"), "true"))) {
                    return true
                }
                return false
            }
            _ = try session.follow(OperationID("after-\(id)"))
            let runs = host.lines(of: "counter").filter { $0 == id.rawValue }.count
            switch record.outcome {
            case .exited(code: 0): #expect(runs == 1)
            case .interrupted: #expect(runs <= 1)
            case let other: throw Surprise("\(other)")
            }
        }
    }
}
