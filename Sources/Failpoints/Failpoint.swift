import Glibc
import SafeText
import Synchronization

/// Every point where a test may kill a process, to check that the system recovers from there.
///
/// A coordinator is armed by `LOCKFLIGHT_FAILPOINT=NAME[:N]`. An agent is armed by the file `failpoint` with the same
/// text in its state folder, because variables do not reach it over SSH. The Nth time the point is reached, the process
/// ends as with `kill -9`. When not armed, a point costs one comparison. A test runs every case against a real fleet; a
/// point that never fires fails the test.
package enum Failpoint: String, Sendable, CaseIterable {
    // The coordinator.
    case leaseTaken
    case beforeCommit
    case afterCommit
    case beforeStartIsSent
    case afterStartIsSent
    case beforeSettleIsSent
    case beforeConfirmIsSent
    case afterConfirmation
    case beforeEvidenceIsKept

    // The agent.
    case fenceRecorded
    case intentJournaled
    case supervisorStarted
    case supervisorBegan
    case scriptJournaled
    case scriptEnded
    case recordWritten
    case tombstoneWritten
    case confirmationDecided
    case revertDecided
    case copyRecorded
    case copyPlaced

    /// Passes the point: ends the process here if it is armed for it.
    package func pass() {
        guard let armed = Failpoint.armed, armed.place == self else { return }
        guard Failpoint.passed.add(1, ordering: .relaxed).newValue == armed.count else { return }
        if let file = armed.file { rename(file, file + ".fired") }
        kill(getpid(), SIGKILL)
    }

    private struct Armed: Sendable {
        var place: Failpoint
        var count: Int
        /// The file that armed an agent. It is renamed when the failpoint fires, so that it fires only once.
        var file: String?
    }

    private static let passed = Atomic(0)
    private static let armed: Armed? = environment("LOCKFLIGHT_FAILPOINT").flatMap { read($0, from: nil) } ?? ofFile()

    private static func ofFile() -> Armed? {
        guard let folder = environment("LOCKFLIGHT_STATE_DIRECTORY") else { return nil }
        let path = folder + "/failpoint"
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return Failpoint.read(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self), from: path)
    }

    private static func read(_ text: String, from file: String?) -> Armed? {
        let parts = text.fields(separatedBy: ": \t\r\n")
        guard let name = parts.first, let place = Failpoint(rawValue: String(name)) else { return nil }
        return Armed(place: place, count: parts.count > 1 ? Int(parts[1]) ?? 1 : 1, file: file)
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }
}
