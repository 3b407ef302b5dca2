import Foundation
import GRDB
import OperatorCommands
import Synchronization
import Testing
import UpgradeDomain

@testable import Ledger

@Suite("The ledger's file")
struct FileTests {
    let fixture: Fixture

    init() async throws { fixture = try Fixture() }

    /// Both ways to open a ledger; closures, because the compiler crashes on a list of the methods themselves.
    private let openings: [@Sendable (String) async throws -> Ledger] = [
        { path in try await Ledger.open(at: path) }, { path in try await Ledger.openReadOnly(at: path) },
    ]

    /// Runs jobs as the ledger's own executor does, and counts them.
    private final class CountingExecutor: SerialExecutor {
        private let queue = QueueExecutor(name: "counted")
        private let counted = Mutex(0)
        var jobs: Int { counted.withLock { $0 } }

        func enqueue(_ job: consuming ExecutorJob) {
            counted.withLock { $0 += 1 }
            queue.enqueue(job)
        }
    }

    @Test("opening, reading and writing wait for the disk on the given executor")
    func executor() async throws {
        let path = fixture.path
        let executor = CountingExecutor()
        var before = executor.jobs
        func expectWork(_ what: String, _ work: () async throws -> Void) async throws {
            try await work()
            #expect(executor.jobs > before, "\(what)")
            before = executor.jobs
        }
        let ledger = try await Ledger.open(at: path, on: executor)
        try await expectWork("open") {}
        try await expectWork("addPlan") { _ = try await ledger.addPlan(Fixture.plan(), at: Fixture.now) }
        try await expectWork("runs") { _ = try await ledger.runs() }
        try await expectWork("openExisting") { _ = try await Ledger.openExisting(at: path, on: executor) }
        try await expectWork("openReadOnly") { _ = try await Ledger.openReadOnly(at: path, on: executor) }
        try await expectWork("openMakingFolders") { _ = try await Ledger.openMakingFolders(at: path, on: executor) }
    }

    private func contents() throws -> Data { try Data(contentsOf: URL(fileURLWithPath: fixture.path)) }

    @Test("the identity is random at creation and stays")
    func identity() async throws {
        let id = try await fixture.open().id
        #expect(try await fixture.open().id == id)
        #expect(try await Ledger.openReadOnly(at: fixture.path).id == id)
        #expect(try await Fixture().open().id != id)
        #expect(id.rawValue.count == 34)
    }

    @Test("a ledger is in WAL mode and durable at every commit")
    func journal() async throws {
        let ledger = try await fixture.open()
        #expect(try runProgram(["sqlite3", fixture.path, "PRAGMA journal_mode"]).output == "wal\n")
        #expect(
            try await ledger.durability() == Ledger.Durability(synchronous: 2, foreignKeys: 1, busyMilliseconds: 10_000)
        )
    }

    @Test("a newer schema is refused with its version and left unchanged")
    func newerSchema() async throws {
        _ = try await fixture.open()
        _ = try runProgram(["sqlite3", fixture.path, "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)"])
        let before = try contents()
        for open in openings {
            let error = await #expect(throws: LedgerError.self) { _ = try await open(fixture.path) }
            #expect(error?.code == .newerSchema)
            #expect(error?.message.contains("schema 99") == true)
        }
        #expect(try contents() == before)
    }

    @Test(
        "a file that is not a ledger is refused and left unchanged",
        arguments: ["CREATE TABLE t (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"])
    func otherDatabase(sql: String) async throws {
        _ = try runProgram(["sqlite3", fixture.path, sql])
        let before = try contents()
        for open in openings {
            #expect(await #expect(throws: LedgerError.self) { _ = try await open(fixture.path) }?.code == .notALedger)
        }
        #expect(try contents() == before)
    }

    @Test("a text file is refused and left unchanged")
    func textFile() async throws {
        let text = Data(String(repeating: "not a database\n", count: 500).utf8)
        try text.write(to: URL(fileURLWithPath: fixture.path))
        #expect(await #expect(throws: LedgerError.self) { _ = try await fixture.open() }?.code == .notALedger)
        #expect(try contents() == text)
    }

    @Test("reading needs an existing ledger, opening an existing folder")
    func absent() async throws {
        let error = await #expect(throws: LedgerError.self) { _ = try await Ledger.openReadOnly(at: fixture.path) }
        #expect(error?.code == .absent)
        #expect(!FileManager.default.fileExists(atPath: fixture.path))
        let folder = await #expect(throws: LedgerError.self) {
            _ = try await Ledger.open(at: fixture.folder + "/none/l.sqlite")
        }
        #expect(folder?.code == .cannotOpen)
    }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test(
        "new files are for their owner only, or for the group of a shared folder, whatever the umask",
        arguments: [(0o700, 0o600), (0o2770, 0o660)])
    func modes(folder: Int, file: Int) async throws {
        #expect(chmod(fixture.folder, mode_t(folder)) == 0)
        let path = fixture.folder + "/new/deep/ledger.sqlite"
        let ledger = try await Ledger.openMakingFolders(at: path)
        _ = try await ledger.addPlan(Fixture.plan(), at: Fixture.now)
        _ = try await ledger.startRun(
            Fixture.definition("r-one", in: ledger, hosts: ["core-1"]), by: "ana", at: Fixture.now)
        let lease = try await ledger.lease()
        for name in ["/new", "/new/deep", "/new/deep/ledger.sqlite-leases"] {
            #expect(try mode(fixture.folder + name) == folder, "\(name)")
        }
        for name in [path, path + "-wal", path + "-shm", path + "-leases/r-one.\(lease.epoch)"] {
            #expect(try mode(name) == file, "\(name)")
        }
        try await ledger.backup(to: fixture.folder + "/backup")
        #expect(try mode(fixture.folder + "/backup") == file)
        lease.release()
    }

    @Test("a ledger that others can write to is not read", arguments: [0o666, 0o620])
    func untrusted(mode: Int) async throws {
        _ = try await fixture.open()
        let path = fixture.path
        for place in [path, fixture.folder] {
            let before = try self.mode(place)
            try FileManager.default.setAttributes([.posixPermissions: mode | 0o100], ofItemAtPath: place)
            for open in openings {
                let error = await #expect(throws: LedgerError.self) { _ = try await open(path) }
                #expect(error?.code == .untrusted && error?.next == .program(words: ["chmod", "go-w", "--", place]))
            }
            try FileManager.default.setAttributes([.posixPermissions: before], ofItemAtPath: place)
        }
        // In a sticky folder somebody else could put a journal beside the ledger. A group's folder is shared by design.
        #expect(chmod(fixture.folder, 0o1777) == 0)
        for open in openings { await #expect(throws: LedgerError.self) { _ = try await open(path) } }
        #expect(chmod(fixture.folder, 0o2770) == 0)
        for open in openings { _ = try await open(path) }
        #expect(try self.mode(fixture.folder + "/ledger.sqlite") == 0o600)
        _ = try await Ledger.open(at: fixture.folder + "/shared.sqlite")
        #expect(try self.mode(fixture.folder + "/shared.sqlite") == 0o660)
    }

    @Test("a ledger of another account is not read", .enabled(if: getuid() == 0))
    func foreign() async throws {
        _ = try await fixture.open()
        #expect(chown(fixture.path, 65_534, 65_534) == 0)
        for open in openings {
            let error = await #expect(throws: LedgerError.self) { _ = try await open(fixture.path) }
            #expect(error?.code == .untrusted)
            #expect(error?.message.contains("belongs to nobody") == true)
        }
    }

    @Test(
        "a colleague's ledger in root's folder for a group is read if the caller is in the group",
        .enabled(if: getuid() == 0))
    func colleague() async throws {
        _ = try await fixture.open()
        #expect(chmod(fixture.folder, 0o2770) == 0)
        // Root is in its own group but not in a group of nobody.
        #expect(chown(fixture.path, 65_534, getegid()) == 0)
        for open in openings { _ = try await open(fixture.path) }
        #expect(chown(fixture.path, 65_534, 65_534) == 0)
        for open in openings { await #expect(throws: LedgerError.self) { _ = try await open(fixture.path) } }
        // Anyone may create a folder for a group.
        #expect(chown(fixture.path, 65_534, getegid()) == 0 && chown(fixture.folder, 65_534, getegid()) == 0)
        #expect(chmod(fixture.folder, 0o2770) == 0)
        for open in openings { await #expect(throws: LedgerError.self) { _ = try await open(fixture.path) } }
    }

    @Test("the target of a link is checked as well")
    func linked() async throws {
        _ = try await fixture.open()
        let open = fixture.folder + "/open"
        try FileManager.default.createDirectory(atPath: open, withIntermediateDirectories: false)
        try FileManager.default.moveItem(atPath: fixture.path, toPath: open + "/ledger.sqlite")
        try FileManager.default.createSymbolicLink(
            atPath: fixture.path, withDestinationPath: open + "/ledger.sqlite")
        #expect(chmod(open, 0o777) == 0)
        for opening in openings {
            #expect(await #expect(throws: LedgerError.self) { _ = try await opening(fixture.path) }?.code == .untrusted)
        }
        #expect(chmod(open, 0o700) == 0)
        for opening in openings { _ = try await opening(fixture.path) }
    }

    @Test("nothing is written through an existing link")
    func links() async throws {
        let target = fixture.folder + "/target"
        try FileManager.default.createSymbolicLink(atPath: fixture.path, withDestinationPath: target)
        _ = try? await fixture.open()
        #expect(!FileManager.default.fileExists(atPath: target))
    }

    @Test("a reader sees what a writer appends, and may not write")
    func readOnly() async throws {
        let ledger = try await fixture.openWithRun()
        let reader = try await Ledger.openReadOnly(at: fixture.path)
        let token = try await reader.changeToken()
        try await ledger.record([Fixture.request(.pause)])
        #expect(try await reader.changeToken() != token)
        #expect(try await reader.headSequence(of: "r-one") == 2)
        let error = await #expect(throws: LedgerError.self) { try await reader.record([Fixture.request(.pause)]) }
        #expect(error?.code == .readOnly)
    }

    @Test("events, plans, approvals, leases and what people sign can not be changed by accident")
    func appendOnly() async throws {
        let ledger = try await fixture.openWithRun()
        try await ledger.addPolicy(SignedStatement(text: "{}"), version: 1, by: "ana", at: Fixture.now)
        try await ledger.addStatement(
            SignedStatement(text: "{}", signatures: ["s"]), id: "0123", plan: nil, by: "ana", at: Fixture.now)
        try await ledger.lease().release()
        for statement in [
            "UPDATE events SET kind = 'x'", "DELETE FROM events", "UPDATE plans SET name = 'x'", "DELETE FROM plans",
            "UPDATE leases SET epoch = 9", "DELETE FROM leases", "UPDATE policies SET text = 'x'",
            "DELETE FROM policies", "UPDATE statements SET text = 'x'", "DELETE FROM statements",
            "UPDATE statement_signatures SET signature = 'x'", "DELETE FROM statement_signatures",
        ] {
            let result = try runProgram(["sqlite3", fixture.path, statement])
            #expect(result.status != 0 && result.output.contains("append-only"), "\(statement)")
        }
        #expect(try await ledger.verify().isSound)
    }

    @Test("a file that another process is turning into a ledger is not mistaken for a foreign file")
    func creationDuringTheLook() throws {
        try PrivateFile.create(at: fixture.path)
        let path = fixture.path
        var configuration = Configuration()
        configuration.prepareDatabase { db in
            db.trace { event in
                guard "\(event)".contains("count(*) FROM sqlite_schema") else { return }
                var other = Configuration()
                other.busyMode = .immediateError
                guard let queue = try? DatabaseQueue(path: path, configuration: other) else { return }
                try? queue.writeWithoutTransaction { try Schema.migrate($0, newLedgerID: "l-other") }
            }
            try Schema.refuseForeignFile(db, path: path)
        }
        _ = try DatabaseQueue(path: path, configuration: configuration)
    }

    @Test("several processes may create the same ledger at once")
    func simultaneousCreation() async throws {
        let path = fixture.path
        let ids = try await withThrowingTaskGroup(of: LedgerID.self) { group in
            for _ in 0..<8 { group.addTask { try await Ledger.open(at: path).id } }
            return try await group.reduce(into: Set<LedgerID>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
    }

    @Test("on a full disk new events are refused in words and old ones stay readable", .enabled(if: getuid() == 0))
    func fullDisk() async throws {
        let disk = try SmallDisk(in: fixture.folder)
        let path = disk.folder + "/ledger.sqlite"
        let ledger = try await startedLedger(at: path)
        let reason = String(repeating: "x", count: 3_000)
        var recorded: UInt64 = 1
        var failure: LedgerError?
        while failure == nil, recorded < 1_000 {
            do {
                try await ledger.record([.requested(Request(action: .pause, by: "ana", reason: reason))])
                recorded += 1
            } catch let error as LedgerError {
                failure = error
            }
        }
        #expect(failure?.code == .commitUnknown)
        #expect(failure?.message.contains("disk is full") == true)
        #expect(try await ledger.headSequence(of: "r-one") == recorded)
        #expect(try await Ledger.openReadOnly(at: path).verify().isSound)
        #expect(try await Ledger.openReadOnly(at: path).headSequence(of: "r-one") == recorded)
        // Space again: the ledger that saw a commit fail stays closed to writes, a reopened one knows the head.
        try disk.grow()
        let refused = await #expect(throws: LedgerError.self) { try await ledger.record([Fixture.request(.pause)]) }
        #expect(refused?.code == .commitUnknown)
        let reopened = try await Ledger.open(at: path)
        #expect(try await reopened.record([Fixture.request(.pause)]).map(\.sequence) == [recorded + 1])
        #expect(try await reopened.verify().isSound)
    }

    @Test("a cleanly closed ledger on a full disk can still be read", .enabled(if: getuid() == 0))
    func readingOnFullDisk() async throws {
        let disk = try SmallDisk(in: fixture.folder)
        let path = disk.folder + "/ledger 100%? #1.sqlite"
        _ = try await startedLedger(at: path)
        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
        try disk.fill()
        let reader = try await Ledger.openReadOnly(at: path)
        #expect(try await reader.headSequence(of: "r-one") == 1)
        #expect(try await reader.verify().isSound)
    }

    private func startedLedger(at path: String) async throws -> Ledger {
        let ledger = try await Ledger.open(at: path)
        _ = try await ledger.addPlan(Fixture.plan(), at: Fixture.now)
        _ = try await ledger.startRun(
            Fixture.definition("r-one", in: ledger, hosts: ["core-1"]), by: "ana", at: Fixture.now)
        return ledger
    }
}

/// A file system of one mebibyte in a test's folder; unmounted on deinit. Needs root.
private final class SmallDisk {
    let folder: String

    init(in parent: String) throws {
        folder = parent + "/small"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let mounted = try runProgram(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", folder])
        try #require(mounted.status == 0, "\(mounted.output)")
    }

    deinit { _ = try? runProgram(["umount", "-l", folder]) }

    func fill() throws { _ = try runProgram(["sh", "-c", "cat /dev/zero > '\(folder)/filler'"]) }

    func grow() throws { _ = try runProgram(["mount", "-o", "remount,size=4m", folder]) }
}
