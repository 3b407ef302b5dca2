import Foundation
import Ledger
import Testing
import UpgradeDomain

@Suite("Leases and epochs")
struct LeaseTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func lockPath(_ lease: Lease) -> String { "\(fixture.path)-leases/\(lease.run).\(lease.epoch)" }

    /// This process's descriptors of a file.
    private func descriptors(of path: String) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int32.init).filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path
        }
    }

    @Test("a second handle is refused with the driver's name until the first releases the lease")
    func exclusion() async throws {
        let first = try await fixture.openWithRun()
        let second = try await fixture.open()
        #expect(try await second.currentDriver(of: "r-one") == nil)
        let lease = try await first.lease()
        #expect(try await second.currentDriver(of: "r-one") == lease.driver)
        let error = await #expect(throws: LedgerError.self) { try await second.lease() }
        #expect(error?.code == .leaseHeld)
        #expect(error?.message.contains("ana@ops-1 (process 42)") == true)
        lease.release()
        lease.release()
        #expect(try await second.currentDriver(of: "r-one") == nil)
        #expect(try await second.lease().epoch == lease.epoch.raised(by: 1))
    }

    @Test("an epoch is from this ledger with its token, from before a restore, or foreign")
    func origins() async throws {
        let ledger = try await fixture.openWithRun()
        let lease = try await ledger.lease()
        #expect(try await ledger.origin(of: lease.epoch) == .given(lease.token))
        #expect(try await ledger.origin(of: 2) == .unknown)
        let adopted = try await ledger.adopt(
            "core-1", from: "other", 7, as: "ana", reason: "moved", by: "ana", at: Fixture.now)
        #expect(adopted.epoch == 8)
        #expect(try await ledger.origin(of: 8) == .given(adopted.token))
        #expect(try await ledger.origin(of: 7) == .unknown)
        #expect(adopted.token != lease.token)
        // An epoch that is too high to reach is ignored.
        let far = try await ledger.adopt(
            "core-2", from: "x", .highest, as: "ana", reason: "x", by: "ana", at: Fixture.now)
        #expect(far.epoch == 9)
        lease.release()
        #expect(try await ledger.lease().epoch == 10)

        // As a build without tokens left it.
        _ = try runProgram([
            "sqlite3", fixture.path,
            "INSERT INTO leases SELECT 11, run, user, machine, process_id, 0, NULL FROM leases LIMIT 1",
        ])
        #expect(try await ledger.origin(of: 11) == .given(nil))
        // A copy has the same leases up to the time of the copy, and different ones after it.
        try await ledger.backup(to: fixture.folder + "/copy.sqlite")
        let copy = try await Ledger.open(at: fixture.folder + "/copy.sqlite")
        let (own, theirs) = (try await ledger.lease(), try await copy.lease())
        #expect(own.epoch == theirs.epoch && own.token != theirs.token)
        #expect(try await copy.origin(of: lease.epoch) == .given(lease.token))
        let restored = try await Ledger.restore(
            fixture.folder + "/copy.sqlite", to: fixture.folder + "/restored.sqlite", at: Fixture.now)
        #expect(try await restored.origin(of: own.epoch) == .beforeRestore)
    }

    @Test("a lease is free once its object is gone")
    func forgotten() async throws {
        let ledger = try await fixture.openWithRun()
        var lease: Lease? = try await ledger.lease()
        #expect(lease?.epoch == 1)
        lease = nil
        #expect(try await ledger.lease().epoch == 2)
    }

    @Test("another process that holds the lock keeps us out until it dies")
    func otherProcess() async throws {
        let ledger = try await fixture.openWithRun()
        let lease = try await ledger.lease()
        let path = lockPath(lease)
        lease.release()
        let script =
            "import fcntl,sys; f=open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
        let other = Process()
        other.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        other.arguments = ["python3", "-c", script, path]
        let output = Pipe()
        let input = Pipe()
        other.standardOutput = output
        other.standardInput = input
        try other.run()
        #expect(output.fileHandleForReading.readData(ofLength: 1) == Data("1".utf8))
        #expect(await #expect(throws: LedgerError.self) { try await ledger.lease() }?.code == .leaseHeld)
        kill(other.processIdentifier, SIGKILL)
        other.waitUntilExit()
        #expect(try await ledger.lease().epoch == 2)
    }

    @Test("a child process does not inherit the lock")
    func closedOnExec() async throws {
        let ledger = try await fixture.openWithRun()
        let lease = try await ledger.lease()
        let held = try descriptors(of: lockPath(lease))
        #expect(held.map { fcntl($0, F_GETFD) & FD_CLOEXEC } == [FD_CLOEXEC])
        lease.release()
    }

    @Test("a released lock is free even if a copy of its descriptor still exists")
    func sharedDescriptor() async throws {
        let ledger = try await fixture.openWithRun()
        let lease = try await ledger.lease()
        let copies = try descriptors(of: lockPath(lease)).map { dup($0) }
        defer { for copy in copies { close(copy) } }
        #expect(copies.count == 1)
        lease.release()
        #expect(try await ledger.lease().epoch == 2)
    }

    @Test("a driver that was taken over is deposed, and nothing of its append is recorded")
    func deposed() async throws {
        let first = try await fixture.openWithRun()
        let second = try await fixture.open()
        let old = try await first.lease()
        let new = try await second.lease(takingOver: true)
        #expect(new.epoch == old.epoch.raised(by: 1))
        let error = await #expect(throws: LedgerError.self) {
            try await first.record([.driverDetached(reason: "x")], lease: old.epoch)
        }
        #expect(error?.code == .deposed)
        #expect(try await second.headSequence(of: "r-one") == 1)
        try await second.record([.driverDetached(reason: "x")], lease: new.epoch)
        // The deposed driver's release must not free the new one's lease.
        old.release()
        #expect(try await first.currentDriver(of: "r-one") == new.driver)
        #expect(await #expect(throws: LedgerError.self) { try await first.lease() }?.code == .leaseHeld)
    }

    @Test("epochs rise across all runs and reopenings")
    func epochs() async throws {
        let ledger = try await fixture.openWithRun(hosts: ["core-1"])
        _ = try await ledger.startRun(
            Fixture.definition("r-two", in: ledger, hosts: ["core-2"]), by: "ana", at: Fixture.now)
        #expect(try await ledger.lease(on: "r-one").epoch == 1)
        #expect(try await ledger.lease(on: "r-two").epoch == 2)
        #expect(try await fixture.open().lease(on: "r-one").epoch == 3)
        #expect(try await ledger.lease(of: "r-one")?.driver.epoch == 3)
    }

    @Test("only the newest lock file of a run remains")
    func lockFilesDoNotPileUp() async throws {
        let ledger = try await fixture.openWithRun()
        for _ in 0..<3 { try await ledger.lease().release() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.path + "-leases") == ["r-one.3"])
    }
}
