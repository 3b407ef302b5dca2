import Foundation
import Glibc
import UpgradeDomain

/// The sshd of a lab host: its own process, on its own address, with its own key.
struct LabServer {
    static let program = "/usr/sbin/sshd"
    static let startDeadline = Duration.seconds(10)

    let host: LabHost
    private var folder: String { "\(host.root)/sshd" }
    var publicKeyPath: String { "\(folder)/host_key.pub" }
    private var configurationPath: String { "\(folder)/sshd_config" }
    private var pidPath: String { "\(folder)/sshd.pid" }

    /// Creates the key and the configuration.
    func install(authorizedKey: String) async throws(LabError) {
        try LabFile.makeFolder(folder)
        try LabFile.makeFolder("\(host.root)/home")
        try LabFile.makeFolder(host.stateDirectory)
        try LabFile.write(authorizedKey, to: "\(folder)/authorized_keys", mode: 0o600)
        try await makeHostKey()
        let configuration = """
            Port \(host.sshPort)
            ListenAddress \(host.address)
            HostKey \(folder)/host_key
            PidFile \(pidPath)
            AuthorizedKeysFile \(folder)/authorized_keys
            SetEnv HOME=\(host.root)/home LOCKFLIGHT_STATE_DIRECTORY=\(host.stateDirectory)
            UsePAM no
            StrictModes no
            PermitRootLogin prohibit-password
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PrintMotd no
            MaxStartups 100:30:200

            """
        try LabFile.write(configuration, to: configurationPath, mode: 0o600)
    }

    func makeHostKey() async throws(LabError) {
        try LabFile.remove("\(folder)/host_key")
        try LabFile.remove(publicKeyPath)
        try await LabCommand.require(
            "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", host.name.rawValue, "-f", "\(folder)/host_key"])
    }

    /// Starts it. Returns when its port answers and its pid file is written. sshd writes the pid file slightly later,
    /// and until then ``stop()`` would find no process to end.
    func start() async throws(LabError) {
        if getuid() == 0 { try LabFile.makeFolder("/run/sshd") }
        try await LabCommand.require(LabServer.program, ["-f", configurationPath, "-E", "\(folder)/sshd.log"])
        let clock = ContinuousClock()
        let deadline = clock.now + LabServer.startDeadline
        while !LabPort.answers(host.address, host.sshPort) || !isRunning {
            guard clock.now < deadline else {
                throw LabError(.neverAnswered, "the sshd of \(host.name) does not answer; see \(folder)/sshd.log")
            }
            try? await clock.sleep(for: .milliseconds(10))
        }
    }

    /// Ends the listener and its sessions, but not the processes started through them. Returns when the listener is
    /// gone.
    func stop() async throws(LabError) {
        guard let pid = runningProcess else { return }
        // Suspend it first: a client that reconnects at once could otherwise get a session that this function does not
        // know about.
        kill(pid, SIGSTOP)
        for child in LabProcess.children(of: pid) where LabProcess.isServer(child) { LabProcess.end(child) }
        kill(pid, SIGKILL)
        try await LabProcess.endAll("the sshd of \(host.name)") { runningProcess == pid ? [pid] : [] }
    }

    var isRunning: Bool { runningProcess != nil }

    private var runningProcess: pid_t? {
        guard let text = try? LabFile.read(pidPath),
            let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)),
            LabProcess.commandLine(of: pid).contains(configurationPath)
        else { return nil }
        return pid
    }

    /// The line for a known_hosts file.
    func knownHostsLine() throws(LabError) -> String {
        let name = host.sshPort == 22 ? host.address : "[\(host.address)]:\(host.sshPort)"
        let columns = try LabFile.read(publicKeyPath).split(separator: " ")
        return "\(name) \(columns[0]) \(columns[1])"
    }
}

/// Whether a port accepts connections.
enum LabPort {
    static func answers(_ address: String, _ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = UInt16(port).bigEndian
        guard inet_pton(AF_INET, address, &place.sin_addr) == 1 else { return false }
        return withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// Processes as /proc shows them.
enum LabProcess {
    static func commandLine(of pid: pid_t) -> String {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return "" }
        return String(decoding: data.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
    }

    static func all() -> [pid_t] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
    }

    static func children(of parent: pid_t) -> [pid_t] {
        all().filter { pid in
            guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return false }
            let text = String(decoding: data, as: UTF8.self)
            guard let close = text.lastIndex(of: ")") else { return false }
            return text[text.index(close, offsetBy: 2)...].split(separator: " ").dropFirst().first.flatMap { pid_t($0) }
                == parent
        }.flatMap { [$0] + children(of: $0) }
    }

    static func isServer(_ pid: pid_t) -> Bool { commandLine(of: pid).hasPrefix("sshd") }

    /// Every process whose command line or working folder is below a folder. Such a process belongs to the lab there.
    static func belonging(to folder: String) -> [pid_t] {
        all().filter { pid in
            if pid == getpid() { return false }
            let place = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")) ?? ""
            return place == folder || place.hasPrefix(folder + "/")
                || (commandLine(of: pid).contains(folder + "/hosts/") && isOfLab(pid))
        }
    }

    /// Only the programs that a lab starts. A person's editor on a lab file is left alone.
    private static func isOfLab(_ pid: pid_t) -> Bool {
        let line = commandLine(of: pid)
        return ["sshd", LabServer.program, "python3", "bash", "flock", "sleep", "lockflight-agent"].contains {
            line.hasPrefix($0) || line.hasPrefix("sshd:") || line.contains("/\($0) ") || line.contains("/agent-")
        }
    }

    static func end(_ pid: pid_t) { kill(pid, SIGKILL) }

    /// Kills what a search finds until it finds nothing: a killed process still exists for a moment, and may have
    /// started another one just before.
    static func endAll(_ what: String, _ search: () -> [pid_t]) async throws(LabError) {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(10)
        var left = search()
        while !left.isEmpty {
            guard clock.now < deadline else {
                let lines = left.map { "\($0) \(commandLine(of: $0))" }.joined(separator: "; ")
                throw LabError(.neverEnded, "\(what) was killed but has not ended: \(lines)")
            }
            for pid in left { end(pid) }
            try? await clock.sleep(for: .milliseconds(10))
            left = search()
        }
    }
}
