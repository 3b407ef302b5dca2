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

    @Test("a backup taken while a run goes on is one moment of it")
    func consistent() async throws {
        let ledger = try fixture.openWithRun()
        let path = fixture.path
        let lease = try ledger.lease()
        let writer = Task.detached {
            let own = try Ledger.open(at: path)
            for sequence in UInt64(1)..<300 {
                _ = try own.append(
                    [.driverDetached(reason: "\(sequence)")], to: "r-one", after: sequence, lease: lease.epoch,
                    at: Fixture.now)
            }
        }
        // Several on the way, so that some of them fall between two appends.
        var lengths: [UInt64] = []
        for index in 0..<8 {
            let file = "\(backup).\(index)"
            try ledger.backup(to: file)
            let copy = try Ledger.openReadOnly(at: file)
            #expect(try copy.verify().isSound)
            #expect(copy.id == ledger.id)
            lengths.append(try copy.headSequence(of: "r-one"))
        }
        try await writer.value
        #expect(lengths == lengths.sorted())
        #expect(try ledger.headSequence(of: "r-one") == 300)
        let files = try FileManager.default.contentsOfDirectory(atPath: fixture.folder)
        #expect(!files.contains { $0.hasSuffix(".part") }, "\(files)")
    }

    @Test("nothing is ever written over")
    func existing() throws {
        let ledger = try fixture.openWithRun()
        try "precious".write(toFile: backup, atomically: true, encoding: .utf8)
        #expect(#expect(throws: LedgerError.self) { try ledger.backup(to: backup) }?.code == .fileExists)
        #expect(try String(contentsOfFile: backup, encoding: .utf8) == "precious")
        #expect(throws: LedgerError.self) { try ledger.backup(to: fixture.folder + "/nowhere/backup") }
        try FileManager.default.removeItem(atPath: backup)
        try ledger.backup(to: backup)
        let error = #expect(throws: LedgerError.self) {
            try Ledger.restore(backup, to: fixture.path, at: Fixture.now)
        }
        #expect(error?.code == .fileExists)
        #expect(try ledger.headSequence(of: "r-one") == 1)
    }

    @Test("a restored ledger goes on above every epoch that was given out since, again and again")
    func epochs() throws {
        let ledger = try fixture.openWithRun()
        for _ in 0..<3 { try ledger.lease().release() }
        try ledger.backup(to: backup)
        for _ in 0..<50 { try ledger.lease().release() }
        let highest = try #require(try ledger.lease(of: "r-one")?.driver.epoch)

        let first = try Ledger.restore(backup, to: restored, at: Fixture.now)
        #expect(first.id == ledger.id)
        let lease = try first.acquireLease(
            on: "r-one", user: "ana", machine: "ops-1", processID: 1, at: Fixture.now)
        #expect(lease.epoch > highest)
        lease.release()
        let later = WallTime(clamping: Fixture.now.milliseconds + 60_000)
        let second = try Ledger.restore(backup, to: restored + "-2", at: later)
        let other = try second.acquireLease(on: "r-one", user: "ana", machine: "ops-1", processID: 1, at: later)
        #expect(other.epoch > lease.epoch)
        #expect(try second.verify().isSound)
    }

    @Test("a damaged or foreign file is not restored, and leaves nothing behind")
    func damaged() throws {
        let ledger = try fixture.openWithRun()
        try ledger.backup(to: backup)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: backup))
        let needle = Data("to-1.5.0".utf8)
        while let range = bytes.range(of: needle) { bytes.replaceSubrange(range, with: Data("to-9.9.9".utf8)) }
        try bytes.write(to: URL(fileURLWithPath: backup + ".forged"))
        try "no database".write(toFile: backup + ".text", atomically: true, encoding: .utf8)
        for file in [backup + ".forged", backup + ".text", backup + ".absent"] {
            #expect(throws: LedgerError.self, "\(file)") { try Ledger.restore(file, to: restored, at: Fixture.now) }
            let left = try FileManager.default.contentsOfDirectory(atPath: fixture.folder).filter {
                $0.hasPrefix("restored")
            }
            #expect(left.isEmpty, "\(file): \(left)")
        }
    }
}
