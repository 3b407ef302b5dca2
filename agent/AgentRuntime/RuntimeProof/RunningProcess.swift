import ContentDigest
import Glibc
import SafeText
import UpgradeDomain

/// One process as the kernel reports it: what it runs, since when, and what it listens on (proc(5)).
struct RunningProcess {
    let pid: Int32
    private let status: ProcessStatus
    /// The program's path from the kernel; ` (deleted)` at its end means that the file was deleted or replaced.
    private let executable: String

    /// - Throws: *unknown* if this user may not inspect the process.
    init(pid: Int32) throws(LinkFailure) {
        guard let status = ProcessStatus(pid: pid), status.isAlive else {
            throw LinkFailure(isUnknown: false, "process \(pid) is not running")
        }
        guard let executable = SystemFile.link("/proc/\(pid)/exe") else {
            throw LinkFailure(
                isUnknown: true,
                "process \(pid) can not be inspected: \(systemErrorText(errno)); the agent must be its user or root")
        }
        self.pid = pid
        self.status = status
        self.executable = executable
    }

    /// Its program's path, if a different file is there now, or none.
    private var replacedProgram: String? {
        executable.rest(before: " (deleted)").map { String($0) }
    }

    var item: EvidenceItem { .holds(.process, "\(pid), \(executable)") }

    /// Its start on the wall clock. The kernel counts in ticks, so this is the end of the tick in which it started.
    var started: WallTime {
        var sinceBoot = timespec()
        clock_gettime(CLOCK_BOOTTIME, &sinceBoot)
        let (ticks, isBeyond) = status.startTicks.addingReportingOverflow(1)
        let ticksPerSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        let seconds = isBeyond ? 0 : Int64(ticks / ticksPerSecond)
        let begun = seconds * 1_000 + Int64(ticks % ticksPerSecond * 1_000 / ticksPerSecond)
        let uptime = Int64(sinceBoot.tv_sec) * 1_000 + Int64(sinceBoot.tv_nsec) / 1_000_000
        return WallTime.now.advanced(byMilliseconds: -max(0, uptime - begun))
    }

    var startedItem: EvidenceItem { .holds(.started, started.rfc3339Milliseconds) }

    /// Whether a program or library that it has mapped as executable was replaced on disk since. Files that programs
    /// create and unlink themselves (shared memory, files of just-in-time compilers) do not count.
    func mappings() -> EvidenceItem {
        guard let maps = SystemFile.text(of: "/proc/\(pid)/maps", limitBytes: AgentLimits.processTableBytes),
            !maps.isEmpty
        else { return .unknown(.mappings, "the mappings of \(pid) can not be read: \(systemErrorText(errno))") }
        if let path = replacedProgram ?? RunningProcess.replacedMapping(in: maps) {
            return .fails(.mappings, "\(path) was replaced after process \(pid) began")
        }
        return .holds(.mappings, "none was replaced")
    }

    static func replacedMapping(in maps: String) -> String? {
        let temporary = ["/memfd:", "/dev/", "/tmp/", "/var/tmp/", "/run/", "/SYSV", "/[aio]", "/anon_hugepage"]
        for line in maps.fields(separatedBy: "\n") {
            guard let deleted = line.rest(before: " (deleted)") else { continue }
            // address perms offset dev inode path
            let fields = deleted.utf8.split(separator: UInt8(ascii: " "), maxSplits: 5)
            guard fields.count == 6, fields[1].contains(UInt8(ascii: "x")) else { continue }
            let path = Substring(fields[5].drop { $0 == UInt8(ascii: " ") })
            if !temporary.contains(where: { path.begins(with: $0) }) { return String(path) }
        }
        return nil
    }

    /// Whether it runs a file of the release: its program, or for an interpreter the file passed to it.
    func program(of release: ReleaseManifest) -> EvidenceItem {
        if let path = replacedProgram {
            return .fails(.program, "\(path) was replaced after process \(pid) began")
        }
        if let wanted = release.digests[executable] {
            guard let found = Digest.ofFile("/proc/\(pid)/exe") else {
                return .unknown(.program, "\(executable) can not be read: \(systemErrorText(errno))")
            }
            guard found == wanted else { return .fails(.program, "\(executable) does not match the manifest") }
            return written(executable, release, by: nil)
        }
        let directory = SystemFile.link("/proc/\(pid)/cwd") ?? "/"
        let words = (SystemFile.text(of: "/proc/\(pid)/cmdline") ?? "").fields(separatedBy: "\0").dropFirst()
        for word in words where !word.begins(with: "-") {
            guard let path = SystemFile.realPath(absolutePath(String(word), in: directory)),
                release.digests[path] != nil
            else { continue }
            return written(path, release, by: executable)
        }
        return .fails(.program, "process \(pid) runs \(executable) and no file of \(release.folder)")
    }

    private func written(_ path: String, _ release: ReleaseManifest, by interpreter: String?) -> EvidenceItem {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return .unknown(.program, "\(path) can not be inspected: \(systemErrorText(errno))")
        }
        let at = WallTime(status.st_mtim)
        let name = release.name(of: path)
        guard at <= started else {
            return .fails(
                .program, "\(name) was written \(at.rfc3339), after process \(pid) began \(started.rfc3339)")
        }
        return .holds(.program, interpreter.map { "\(name), by \($0)" } ?? name)
    }

    /// Whether the process or one of its children listens on a TCP port, in its own network namespace.
    func listens(on port: String, _ link: RuntimeLink) -> EvidenceItem {
        guard let wanted = ListeningPort(port) else { return .unknown(link, "'\(port)' is not a port") }
        let sockets = wanted.sockets(in: "/proc/\(pid)")
        guard !sockets.isEmpty else { return .fails(link, "no process listens on \(port)") }
        var isHidden = false
        for member in ProcessTable.family(of: pid) {
            guard let held = ListeningPort.sockets(of: member) else {
                isHidden = true
                continue
            }
            if !held.isDisjoint(with: sockets) { return .holds(link, "process \(member) listens on \(port)") }
        }
        return isHidden
            ? .unknown(link, "the sockets of process \(pid) can not be inspected; the agent must be its user or root")
            : .fails(link, "a process other than \(pid) listens on \(port)")
    }
}
