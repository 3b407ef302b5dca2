import Foundation
import Ledger
import Testing
import UpgradeDomain

@Suite("Backup and restore")
struct BackupTests {
    let fixture: Fixture
    private var backup: String { fixture.folder + "/backup.sqlite" }
    private var restored: String { fixture.folder + "/restored.sqlite" }

    init() throws { fixture = try Fixture() }

    @Test("a backup taken during a run is a consistent snapshot")
    func consistent() async throws {
        let ledger = try await fixture.openWithRun()
        let path = fixture.path
        let lease = try await ledger.lease()
        let writer = Task.detached {
            let own = try await Ledger.open(at: path)
            for sequence in UInt64(1)..<300 {
                _ = try await own.append(
                    [.driverDetached(reason: "\(sequence)")], to: "r-one", after: sequence, lease: lease.epoch,
                    at: Fixture.now)
            }
        }
        // Several backups, so that some of them happen between two appends.
        var lengths: [UInt64] = []
        for index in 0..<8 {
            let file = "\(backup).\(index)"
            try await ledger.backup(to: file)
            let copy = try await Ledger.openReadOnly(at: file)
            #expect(try await copy.verify().isSound)
            #expect(copy.id == ledger.id)
            lengths.append(try await copy.headSequence(of: "r-one"))
        }
        try await writer.value
        #expect(lengths == lengths.sorted())
        #expect(try await ledger.headSequence(of: "r-one") == 300)
        let files = try FileManager.default.contentsOfDirectory(atPath: fixture.folder)
        #expect(!files.contains { $0.hasSuffix(".part") }, "\(files)")
    }

    @Test("no existing file is ever overwritten")
    func existing() async throws {
        let ledger = try await fixture.openWithRun()
        try "precious".write(toFile: backup, atomically: true, encoding: .utf8)
        #expect(await #expect(throws: LedgerError.self) { try await ledger.backup(to: backup) }?.code == .fileExists)
        #expect(try String(contentsOfFile: backup, encoding: .utf8) == "precious")
        await #expect(throws: LedgerError.self) { try await ledger.backup(to: fixture.folder + "/nowhere/backup") }
        try FileManager.default.removeItem(atPath: backup)
        try await ledger.backup(to: backup)
        let error = await #expect(throws: LedgerError.self) {
            try await Ledger.restore(backup, to: fixture.path, at: Fixture.now)
        }
        #expect(error?.code == .fileExists)
        #expect(try await ledger.headSequence(of: "r-one") == 1)
    }

    @Test("a restored ledger continues above every epoch that was issued since, after each restore")
    func epochs() async throws {
        let ledger = try await fixture.openWithRun()
        for _ in 0..<3 { try await ledger.lease().release() }
        try await ledger.backup(to: backup)
        for _ in 0..<50 { try await ledger.lease().release() }
        let highest = try #require(try await ledger.lease(of: "r-one")?.driver.epoch)

        let first = try await Ledger.restore(backup, to: restored, at: Fixture.now)
        #expect(first.id == ledger.id)
        let lease = try await first.acquireLease(
            on: "r-one", user: "ana", machine: "ops-1", processID: 1, at: Fixture.now)
        #expect(lease.epoch > highest)
        lease.release()
        let later = WallTime(clamping: Fixture.now.milliseconds + 60_000)
        let second = try await Ledger.restore(backup, to: restored + "-2", at: later)
        let other = try await second.acquireLease(on: "r-one", user: "ana", machine: "ops-1", processID: 1, at: later)
        #expect(other.epoch > lease.epoch)
        #expect(try await second.verify().isSound)
    }

    @Test("a damaged or foreign file is not restored, and leaves nothing behind")
    func damaged() async throws {
        let ledger = try await fixture.openWithRun()
        try await ledger.backup(to: backup)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: backup))
        let needle = Data("to-1.5.0".utf8)
        while let range = bytes.range(of: needle) { bytes.replaceSubrange(range, with: Data("to-9.9.9".utf8)) }
        try bytes.write(to: URL(fileURLWithPath: backup + ".forged"))
        try "no database".write(toFile: backup + ".text", atomically: true, encoding: .utf8)
        for file in [backup + ".forged", backup + ".text", backup + ".absent"] {
            await #expect(throws: LedgerError.self, "\(file)") {
                try await Ledger.restore(file, to: restored, at: Fixture.now)
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: fixture.folder).filter {
                $0.hasPrefix("restored")
            }
            #expect(left.isEmpty, "\(file): \(left)")
        }
    }
}
