import AgentProtocol
import Foundation
import Glibc
import Testing
import UpgradeDomain

/// A host whose disk is full. Needs root to mount a small file system.
@Suite(.enabled(if: geteuid() == 0)) struct FullDiskTests {
    /// A tmpfs of 1 MiB, unmounted at the end.
    private final class SmallDisk {
        let path: URL
        init?() throws {
            path = FileManager.default.temporaryDirectory.appending(path: "lockflight-disk-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
            guard mount("tmpfs", path.path, "tmpfs", 0, "size=1m") == 0 else { return nil }
        }
        deinit {
            umount2(path.path, Int32(MNT_DETACH))
            try? FileManager.default.removeItem(at: path)
        }
        /// Fills the disk except for the given space.
        func fill(leaving bytes: Int) throws {
            let filler = path.appending(path: "filler").path
            unlink(filler)
            var status = statvfs()
            guard statvfs(path.path, &status) == 0 else { throw Surprise("statvfs") }
            let free = Int(status.f_bavail) * Int(status.f_bsize)
            guard FileManager.default.createFile(atPath: filler, contents: Data(count: max(0, free - bytes))) else {
                throw Surprise("the filler does not fit")
            }
        }
    }

    @Test func anOperationIsRefusedBeforeItStartsOrItsRecordIsKept() throws {
        guard let disk = try SmallDisk() else { return }
        let host = try HostUnderTest(state: disk.path.appending(path: "state"))
        let session = try host.session()
        var refused = 0
        var recorded = 0
        for (step, room) in stride(from: 0, through: 120_000, by: 4_096).enumerated() {
            let id = OperationID("op\(step)")
            try disk.fill(leaving: room)
            // The script fills the rest of the disk, so that the record has only its reserved space.
            let script = "echo $LOCKFLIGHT_OPERATION >> counter; head -c 2000000 /dev/zero; true"
            switch try session.ask(.start(host.start(id, script))) {
            case .refused(let refusal):
                #expect(refusal.code == .diskFull)
                #expect(!host.lines(of: "counter").contains(id.rawValue))
                refused += 1
            case .started:
                let (record, _) = try session.follow(id)
                switch record.outcome {
                case .exited(code: 0): #expect(host.lines(of: "counter").contains(id.rawValue))
                case .notStarted: #expect(!host.lines(of: "counter").contains(id.rawValue))
                default: Issue.record("\(record.outcome)")
                }
                recorded += 1
            case let other: Issue.record("\(other)")
            }
            try? FileManager.default.removeItem(at: host.state.appending(path: "operations/\(id)/output"))
        }
        #expect(refused >= 15)
        #expect(recorded >= 8)
    }
}
