import ContentDigest
import Ledger
import Testing
import UpgradeDomain

@Suite("Inventory, plans and runs")
struct RunTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test("an import returns what it replaced, and the same content is stored once")
    func inventory() throws {
        let ledger = try fixture.open()
        let layers = [InventoryLayer(name: "core", owners: ["team-core"])]
        let small = FleetInventory(layers: layers, hosts: [Fixture.host("core-1")])
        let large = FleetInventory(layers: layers, hosts: [Fixture.host("core-1"), Fixture.host("core-2")])
        #expect(try ledger.currentInventory() == nil)
        #expect(try ledger.importInventory(small, by: "ana", at: Fixture.now).previous == nil)
        #expect(try ledger.importInventory(small, by: "ana", at: Fixture.now).previous == small)
        let change = try ledger.importInventory(large, by: "ana", at: Fixture.now)
        #expect(change.previous == small)
        #expect(try change.digest == Digest.canonical(of: large))
        #expect(try fixture.open().currentInventory() == large)
        #expect(try runProgram(["sqlite3", fixture.path, "SELECT count(*) FROM inventories"]).output == "2\n")
    }

    @Test("a plan is found by name, digest or prefix, and an unclear word is refused")
    func plans() throws {
        let ledger = try fixture.open()
        let digest = try ledger.addPlan(Fixture.plan(), at: Fixture.now)
        #expect(try ledger.addPlan(Fixture.plan(), at: WallTime(clamping: 1)) == digest)
        #expect(try digest == Digest.canonical(of: Fixture.plan()))
        for text in ["to-1.5.0", digest.rawValue, digest.short, String(digest.rawValue.prefix(15))] {
            #expect(try ledger.plan(matching: text).plan == Fixture.plan())
        }
        for text in ["to-1.6.0", "", "sha256:", String(digest.short.prefix(3))] {
            #expect(#expect(throws: LedgerError.self) { try ledger.plan(matching: text) }?.code == .unknownPlan)
        }
        var edited = Fixture.plan()
        edited.changeClass = .major
        let editedDigest = try ledger.addPlan(edited, at: Fixture.now)
        let error = #expect(throws: LedgerError.self) { try ledger.plan(matching: "to-1.5.0") }
        #expect(error?.code == .ambiguous)
        #expect(error?.message.contains(editedDigest.short) == true)
        #expect(try ledger.plans().map(\.digest) == [editedDigest, digest])
    }

    @Test("approvals are kept in order and bound to a stored plan")
    func approvals() throws {
        let ledger = try fixture.open()
        let approval = try Fixture.definition("r-one", in: ledger, hosts: ["core-1"]).approvals[0]
        #expect(#expect(throws: LedgerError.self) { try ledger.approve(approval) }?.code == .unknownPlan)
        _ = try ledger.addPlan(Fixture.plan(), at: Fixture.now)
        var second = approval
        second.owner = "team-data"
        try ledger.approve(approval)
        try ledger.approve(second)
        #expect(try ledger.approvals(of: approval.planDigest) == [approval, second])
        #expect(try ledger.approvals(of: "sha256:00").isEmpty)
    }

    @Test("a host belongs to one open run: the second start names the first, and finalize frees the host")
    func hostClaim() throws {
        let ledger = try fixture.openWithRun("r-one", hosts: ["core-1", "core-2"])
        let other = try fixture.open()
        let definition = try Fixture.definition("r-two", in: other, hosts: ["core-3", "core-2"])
        let error = #expect(throws: LedgerError.self) { try other.startRun(definition, by: "bo", at: Fixture.now) }
        #expect(error?.code == .hostClaimed)
        #expect(error?.run == "r-one")
        #expect(error?.message.contains("core-2") == true)
        #expect(error?.message.contains("--succeeds r-one") == true)
        #expect(try ledger.runs().map(\.id) == ["r-one"])
        try ledger.record([Fixture.request(.finalize)])
        _ = try other.startRun(definition, by: "bo", at: Fixture.now)
        #expect(try ledger.runs().map(\.id) == ["r-two", "r-one"])
        #expect(try ledger.verify().isSound)
    }

    @Test("a successor supersedes its predecessor in one transaction, from the head that it was computed from")
    func succession() throws {
        let ledger = try fixture.openWithRun("r-one")
        let succession = Succession(
            predecessor: "r-one", baselines: [:], attempts: [Placement(host: "core-1", layer: "core"): 2])
        let definition = try Fixture.definition("r-two", in: ledger, hosts: ["core-1"], succession: succession)
        try ledger.record([Fixture.request(.pause)])
        let conflict = #expect(throws: LedgerError.self) {
            try ledger.startRun(definition, after: 1, by: "ana", at: Fixture.now)
        }
        #expect(conflict?.code == .conflict)
        #expect(try ledger.runs().map(\.id) == ["r-one"])
        _ = try ledger.startRun(definition, after: 2, by: "ana", at: Fixture.now)
        #expect(try ledger.run(matching: "r-one").standing == .superseded(by: "r-two"))
        #expect(try ledger.events(of: "r-one").last?.event == Fixture.request(.supersede(by: "r-two")))
        #expect(#expect(throws: LedgerError.self) { try ledger.record([Fixture.request(.pause)]) }?.code == .runClosed)
        // core-2 was not taken over and is free.
        _ = try ledger.startRun(
            Fixture.definition("r-three", in: ledger, hosts: ["core-2"]), by: "ana", at: Fixture.now)
        #expect(try ledger.verify().isSound)
    }

    @Test("a definition that does not fit itself or the ledger starts nothing")
    func contradictions() throws {
        let ledger = try fixture.open()
        let sound = try Fixture.definition("r-one", in: ledger, hosts: ["core-1"])
        func code(_ change: (inout RunDefinition) -> Void) -> LedgerError.Code? {
            var definition = sound
            change(&definition)
            return #expect(throws: LedgerError.self) {
                try ledger.startRun(definition, by: "ana", at: Fixture.now)
            }?.code
        }
        #expect(code { _ in } == .unknownPlan)
        _ = try ledger.addPlan(Fixture.plan(), at: Fixture.now)
        #expect(code { $0.run = "../r" } == .contradiction)
        #expect(code { $0.run = "" } == .contradiction)
        #expect(code { $0.ledger = "l-other" } == .contradiction)
        #expect(code { $0.plan.changeClass = .major } == .contradiction)
        #expect(code { $0.hosts[0].address = "127.0.0.12" } == .contradiction)
        #expect(code { $0.approvals[0].hostsDigest = "sha256:00" } == .contradiction)
        #expect(code { $0.approvals[0].planDigest = "sha256:00" } == .contradiction)
        #expect(
            code { $0.succession = Succession(predecessor: "r-0", baselines: [:], attempts: [:]) } == .contradiction)
        #expect(try ledger.runs().isEmpty)
        _ = try ledger.startRun(sound, by: "ana", at: Fixture.now)
        #expect(code { _ in } == .contradiction)
    }

    @Test("a run is found by id or prefix")
    func lookup() throws {
        let ledger = try fixture.openWithRun("r-7k3fq2", hosts: ["core-1"])
        _ = try ledger.startRun(
            Fixture.definition("r-7k3fq2x", in: ledger, hosts: ["core-2"]), by: "ana", at: Fixture.now)
        #expect(try ledger.run(matching: "r-7k3fq2").id == "r-7k3fq2")
        #expect(try ledger.run(matching: "r-7k3fq2x").planName == "to-1.5.0")
        #expect(#expect(throws: LedgerError.self) { try ledger.run(matching: "r-7k") }?.code == .ambiguous)
        #expect(#expect(throws: LedgerError.self) { try ledger.run(matching: "r-8") }?.code == .unknownRun)
        #expect(#expect(throws: LedgerError.self) { try ledger.run(matching: "%") }?.code == .unknownRun)
        #expect(#expect(throws: LedgerError.self) { try ledger.events(of: "r-none") }?.code == .unknownRun)
    }

    @Test("evidence reads back by its digest and is stored once")
    func evidence() throws {
        let ledger = try fixture.openWithRun()
        try ledger.record([Fixture.request(.pause)], with: [[1], [], [1]])
        #expect(try ledger.blob(Digest.sha256(of: [1])) == [1])
        #expect(try ledger.blob(Digest.sha256(of: [])) == [])
        // What is not recorded is not kept either.
        let refused = #expect(throws: LedgerError.self) {
            try ledger.append(
                [Fixture.request(.pause)], with: [[2]], to: "r-one", after: 1, lease: nil, at: Fixture.now)
        }
        #expect(refused?.code == .conflict)
        #expect(try ledger.blob(Digest.sha256(of: [2])) == nil)
        #expect(try ledger.blob("sha256:00") == nil)
    }
}
