import AgentProtocol
import Glibc

/// One process of one boot. The pid alone is not enough, because pids are reused (proc_pid_stat(5), field 22).
package struct ProcessIdentity: Codable, Hashable, Sendable {
    package var pid: Int32
    /// Clock ticks from boot to the start of the process.
    package var startTicks: UInt64

    package init(pid: Int32, startTicks: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
    }
}

/// The fields of `/proc/PID/stat` that the agent reads.
struct ProcessStatus: Hashable, Sendable {
    var pid: Int32
    var state: Character
    var parent: Int32
    var group: Int32
    var startTicks: UInt64

    /// A zombie has ended, whether or not its parent reaps it.
    var isAlive: Bool { state != "Z" && state != "X" }

    init?(pid: Int32) {
        guard let bytes = try? Folder(path: "/proc/\(pid)").read("stat", limitBytes: 4_096) else { return nil }
        self.init(pid: pid, stat: bytes)
    }

    /// The command name may contain spaces and parentheses: the fields start after the last closing one.
    init?(pid: Int32, stat bytes: [UInt8]) {
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard fields.count > 19, let state = fields[0].first, let parent = Int32(fields[1]),
            let group = Int32(fields[2]),
            let startTicks = UInt64(fields[19])
        else { return nil }
        self.pid = pid
        self.state = state
        self.parent = parent
        self.group = group
        self.startTicks = startTicks
    }
}

/// The host's processes, as the kernel shows them now.
enum ProcessTable {
    static func identity(of pid: Int32) -> ProcessIdentity? {
        ProcessStatus(pid: pid).map { ProcessIdentity(pid: pid, startTicks: $0.startTicks) }
    }

    static func isAlive(_ process: ProcessIdentity) -> Bool {
        guard let status = ProcessStatus(pid: process.pid) else { return false }
        return status.startTicks == process.startTicks && status.isAlive
    }

    /// A process and all its descendants, the process itself first.
    static func family(of pid: Int32) -> [Int32] {
        var children: [Int32: [Int32]] = [:]
        for name in Folder(path: "/proc").names() {
            guard let other = Int32(name), let status = ProcessStatus(pid: other) else { continue }
            children[status.parent, default: []].append(other)
        }
        var family = [pid]
        var next = 0
        while next < family.count {
            family += children[family[next]] ?? []
            next += 1
        }
        return family
    }

    /// Whether a process group has a living member that started no earlier than its leader.
    static func hasLivingMember(groupOf leader: ProcessIdentity) -> Bool {
        Folder(path: "/proc").names().contains { name in
            guard let pid = Int32(name), let status = ProcessStatus(pid: pid) else { return false }
            return status.group == leader.pid && status.isAlive && status.startTicks >= leader.startTicks
        }
    }
}
