import ContentDigest
import Ledger
import Testing
import UpgradeDomain

@Suite("Inventory, plans and runs")
struct RunTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test("an import returns what it replaced, and the same content is stored once")
    func inventory() async throws {
        let ledger = try await fixture.open()
        let layers = [InventoryLayer(name: "core", owners: ["team-core"])]
        let small = FleetInventory(layers: layers, hosts: [Fixture.host("core-1")])
        let large = FleetInventory(layers: layers, hosts: [Fixture.host("core-1"), Fixture.host("core-2")])
        #expect(try await ledger.currentInventory() == nil)
        #expect(try await ledger.changeInventory(by: "ana", at: Fixture.now) { _ in small }.previous == nil)
        #expect(try await ledger.changeInventory(by: "ana", at: Fixture.now) { _ in small }.previous == small)
        let change = try await ledger.changeInventory(by: "ana", at: Fixture.now) { _ in large }
        #expect(change.previous == small)
        #expect(try change.digest == Digest.canonical(of: large))
        #expect(change.current == large)
        #expect(try await fixture.open().currentInventory() == large)
        #expect(try runProgram(["sqlite3", fixture.path, "SELECT count(*) FROM inventories"]).output == "2\n")
    }

    @Test("a plan is found by name, digest or prefix, and an ambiguous word is refused")
    func plans() async throws {
        let ledger = try await fixture.open()
        let digest = try await ledger.addPlan(Fixture.plan(), at: Fixture.now)
        #expect(try await ledger.addPlan(Fixture.plan(), at: WallTime(clamping: 1)) == digest)
        #expect(try digest == Digest.canonical(of: Fixture.plan()))
        for text in ["to-1.5.0", digest.rawValue, digest.short, String(digest.rawValue.prefix(15))] {
            #expect(try await ledger.plan(matching: text).plan == Fixture.plan())
        }
        for text in ["to-1.6.0", "", "sha256:", String(digest.short.prefix(3))] {
            #expect(
                await #expect(throws: LedgerError.self) { try await ledger.plan(matching: text) }?.code == .unknownPlan)
        }
        var edited = Fixture.plan()
        edited.changeClass = .major
        let editedDigest = try await ledger.addPlan(edited, at: Fixture.now)
        let error = await #expect(throws: LedgerError.self) { try await ledger.plan(matching: "to-1.5.0") }
        #expect(error?.code == .ambiguous)
        #expect(error?.message.contains(editedDigest.short) == true)
        #expect(try await ledger.plans().map(\.digest) == [editedDigest, digest])
    }

    @Test("approvals are kept in order and bound to a stored plan")
    func approvals() async throws {
        let ledger = try await fixture.open()
        let approval = try Fixture.definition("r-one", in: ledger, hosts: ["core-1"]).approvals[0]
        #expect(await #expect(throws: LedgerError.self) { try await ledger.approve(approval) }?.code == .unknownPlan)
        _ = try await ledger.addPlan(Fixture.plan(), at: Fixture.now)
        var second = approval
        second.owner = "team-data"
        second.runs = 2
        second.until = Fixture.now.advanced(bySeconds: 60)
        try await ledger.approve(approval)
        try await ledger.approve(second)
        #expect(try await ledger.approvals(ofPlansNamed: Fixture.plan().name) == [approval, second])
        #expect(try await ledger.approvals(ofPlansNamed: "another").isEmpty)
    }

    /// A plan's approvals were judged by the runs that existed at that time.
    @Test("a run does not start if another run of its plan has advanced since its approvals were judged")
    func staleApprovals() async throws {
        let ledger = try await fixture.openWithRun("r-one", hosts: ["core-1"])
        let definition = try Fixture.definition("r-two", in: ledger, hosts: ["core-2"])
        let seen = try await ledger.heads(ofRunsOf: definition.planDigest)
        #expect(seen == ["r-one": 1])
        _ = try await ledger.append([Fixture.request(.pause)], to: "r-one", after: 1, lease: nil, at: Fixture.now)
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.startRun(definition, by: "bo", at: Fixture.now, judgedBy: seen)
        }
        #expect(error?.code == .conflict)
        #expect(try await ledger.runs().map(\.id) == ["r-one"])
        let now = try await ledger.heads(ofRunsOf: definition.planDigest)
        _ = try await ledger.startRun(definition, by: "bo", at: Fixture.now, judgedBy: now)
    }

    @Test("a host belongs to one open run: the second start names the first, and finalize frees the host")
    func hostClaim() async throws {
        let ledger = try await fixture.openWithRun("r-one", hosts: ["core-1", "core-2"])
        let other = try await fixture.open()
        let definition = try Fixture.definition("r-two", in: other, hosts: ["core-3", "core-2"])
        let error = await #expect(throws: LedgerError.self) {
            try await other.startRun(definition, by: "bo", at: Fixture.now)
        }
        #expect(error?.code == .hostClaimed)
        #expect(error?.run == "r-one")
        #expect(error?.message.contains("core-2") == true)
        #expect(error?.message.contains("--succeeds r-one") == true)
        #expect(try await ledger.runs().map(\.id) == ["r-one"])
        try await ledger.record([Fixture.request(.finalize)])
        _ = try await other.startRun(definition, by: "bo", at: Fixture.now)
        #expect(try await ledger.runs().map(\.id) == ["r-two", "r-one"])
        #expect(try await ledger.verify().isSound)
    }

    @Test("a successor supersedes its predecessor in one transaction, at the head that it was computed from")
    func succession() async throws {
        let ledger = try await fixture.openWithRun("r-one")
        let succession = Succession(
            predecessor: "r-one", baselines: [:], attempts: [Placement(host: "core-1", layer: "core"): 2])
        let definition = try Fixture.definition("r-two", in: ledger, hosts: ["core-1"], succession: succession)
        try await ledger.record([Fixture.request(.pause)])
        let conflict = await #expect(throws: LedgerError.self) {
            try await ledger.startRun(definition, after: 1, by: "ana", at: Fixture.now)
        }
        #expect(conflict?.code == .conflict)
        #expect(try await ledger.runs().map(\.id) == ["r-one"])
        _ = try await ledger.startRun(definition, after: 2, by: "ana", at: Fixture.now)
        #expect(try await ledger.run(matching: "r-one").standing == .superseded(by: "r-two"))
        #expect(try await ledger.events(of: "r-one").last?.event == Fixture.request(.supersede(by: "r-two")))
        #expect(
            await #expect(throws: LedgerError.self) { try await ledger.record([Fixture.request(.pause)]) }?.code
                == .runClosed)
        // core-2 was not taken over and is free.
        _ = try await ledger.startRun(
            Fixture.definition("r-three", in: ledger, hosts: ["core-2"]), by: "ana", at: Fixture.now)
        #expect(try await ledger.verify().isSound)
    }

    @Test("a definition that contradicts itself or the ledger starts nothing")
    func contradictions() async throws {
        let ledger = try await fixture.open()
        let sound = try Fixture.definition("r-one", in: ledger, hosts: ["core-1"])
        func code(_ change: (inout RunDefinition) -> Void) async -> LedgerError.Code? {
            var definition = sound
            change(&definition)
            return await #expect(throws: LedgerError.self) {
                try await ledger.startRun(definition, by: "ana", at: Fixture.now)
            }?.code
        }
        #expect(await code { _ in } == .unknownPlan)
        _ = try await ledger.addPlan(Fixture.plan(), at: Fixture.now)
        #expect(await code { $0.run = "../r" } == .contradiction)
        #expect(await code { $0.run = "" } == .contradiction)
        #expect(await code { $0.ledger = "l-other" } == .contradiction)
        #expect(await code { $0.plan.changeClass = .major } == .contradiction)
        #expect(await code { $0.hosts[0].address = "127.0.0.12" } == .contradiction)
        #expect(await code { $0.approvals[0].hostsDigest = "sha256:00" } == .contradiction)
        #expect(await code { $0.approvals[0].planDigest = "sha256:00" } == .contradiction)
        #expect(
            await code { $0.succession = Succession(predecessor: "r-0", baselines: [:], attempts: [:]) }
                == .contradiction)
        #expect(try await ledger.runs().isEmpty)
        _ = try await ledger.startRun(sound, by: "ana", at: Fixture.now)
        #expect(await code { _ in } == .contradiction)
    }

    @Test("a run is found by id or prefix")
    func lookup() async throws {
        let ledger = try await fixture.openWithRun("r-7k3fq2", hosts: ["core-1"])
        _ = try await ledger.startRun(
            Fixture.definition("r-7k3fq2x", in: ledger, hosts: ["core-2"]), by: "ana", at: Fixture.now)
        #expect(try await ledger.run(matching: "r-7k3fq2").id == "r-7k3fq2")
        #expect(try await ledger.run(matching: "r-7k3fq2x").planName == "to-1.5.0")
        #expect(await #expect(throws: LedgerError.self) { try await ledger.run(matching: "r-7k") }?.code == .ambiguous)
        #expect(await #expect(throws: LedgerError.self) { try await ledger.run(matching: "r-8") }?.code == .unknownRun)
        #expect(await #expect(throws: LedgerError.self) { try await ledger.run(matching: "%") }?.code == .unknownRun)
        #expect(await #expect(throws: LedgerError.self) { try await ledger.events(of: "r-none") }?.code == .unknownRun)
    }

    @Test("evidence reads back by its digest and is stored once")
    func evidence() async throws {
        let ledger = try await fixture.openWithRun()
        try await ledger.record([Fixture.request(.pause)], with: [[1], [], [1]])
        #expect(try await ledger.blob(Digest.sha256(of: [1])) == [1])
        #expect(try await ledger.blob(Digest.sha256(of: [])) == [])
        // Evidence of an event that is not recorded is not kept either.
        let refused = await #expect(throws: LedgerError.self) {
            try await ledger.append(
                [Fixture.request(.pause)], with: [[2]], to: "r-one", after: 1, lease: nil, at: Fixture.now)
        }
        #expect(refused?.code == .conflict)
        #expect(try await ledger.blob(Digest.sha256(of: [2])) == nil)
        #expect(try await ledger.blob("sha256:00") == nil)
    }
}
