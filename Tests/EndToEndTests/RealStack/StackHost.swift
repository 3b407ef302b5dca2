import Foundation
import TestSupport

@testable import LabFleet

/// A host of the real stack: an sshd that lets in `deploy`, an ordinary user with a number of its own.
///
/// Processes, shared memory, mounts and the name are the host's own: its `/srv`, `/home`, `/etc/ssh`, accounts and host
/// names are below ``root``. The network is the machine's, where each host has a loopback address. Ending the first
/// process ends all others; nothing is left on the machine.
struct StackHost: Sendable {
    static let sshPort = 2_222
    static let user = "deploy"

    let name: String
    let layer: String
    let address: String
    let userID: Int
    let root: String

    var checkout: String { "\(root)/srv/stack" }

    /// Whether this machine lets this process have such hosts.
    static let isPossible: Bool = {
        let probe = Process()
        probe.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        probe.arguments = ["--mount", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "true"]
        probe.standardError = FileHandle.nullDevice
        guard geteuid() == 0, (try? probe.run()) != nil else { return false }
        probe.waitUntilExit()
        return probe.terminationStatus == 0
    }()

    /// Makes its files.
    ///
    /// - Parameters:
    ///   - authorizedKey: who may log in.
    ///   - hostNames: the addresses of all hosts, as in `/etc/hosts`.
    func install(authorizedKey: String, hostNames: String) async throws {
        for folder in ["ssh", "home/\(StackHost.user)/.ssh", "srv"] { try LabFile.makeFolder("\(root)/\(folder)") }
        try await LabCommand.require(
            "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", "\(root)/ssh/ssh_host_ed25519_key"])
        let configuration = """
            ListenAddress \(address)
            Port \(StackHost.sshPort)
            PidFile none
            UsePAM no
            PasswordAuthentication no
            PermitRootLogin no
            Subsystem sftp internal-sftp
            MaxStartups 100:30:200

            """
        try LabFile.write(configuration, to: "\(root)/ssh/sshd_config")
        try LabFile.write(authorizedKey, to: "\(root)/home/\(StackHost.user)/.ssh/authorized_keys")
        try LabFile.write(hostNames, to: "\(root)/hosts")
        try add("\(StackHost.user):*:\(userID):\(userID)::/home/\(StackHost.user):/bin/bash", to: "passwd")
        try add("\(StackHost.user):*:\(userID):", to: "group")
    }

    /// The machine's own accounts or groups, with the host's user.
    private func add(_ line: String, to table: String) throws {
        let others = try LabFile.read("/etc/\(table)").split(separator: "\n")
            .filter { !$0.hasPrefix("\(StackHost.user):") }
        try LabFile.write((others + [Substring(line)]).joined(separator: "\n") + "\n", to: "\(root)/\(table)")
    }

    /// Starts it; returns when its sshd answers.
    func start() async throws {
        try LabFile.makeFolder("/run/sshd")
        try await LabCommand.require(
            "chown", ["-R", "\(userID):\(userID)", "\(root)/home/\(StackHost.user)", checkout])
        let boot = """
            hostname "$1"
            cd "$2"
            for file in passwd group hosts ssh; do mount --bind "$file" "/etc/$file"; done
            mount --bind home /home
            mount --bind srv /srv
            mount -t tmpfs tmpfs /dev/shm
            mount -t tmpfs tmpfs /tmp
            exec /usr/sbin/sshd -D -e
            """
        let launch = """
            setsid unshare --mount --pid --uts --ipc --fork --kill-child --mount-proc --propagation private \
            sh -ec "$0" sh "$1" "$2" >"$2/sshd.log" 2>&1 </dev/null &
            echo $! >"$2/pid"
            """
        try await LabCommand.require("sh", ["-c", launch, boot, name, root])
        try await eventually("the sshd of \(name) answers; see \(root)/sshd.log") {
            LabPort.answers(address, StackHost.sshPort)
        }
    }

    /// Ends everything that runs on it.
    func end() async throws {
        guard let text = try? LabFile.read("\(root)/pid"), let pid = pid_t(text.filter(\.isNumber)) else { return }
        kill(pid, SIGKILL)
        try await eventually("everything on \(name) has ended") {
            try await !LabCommand.run("pgrep", ["-U", "\(userID)"]).succeeded
                && !LabPort.answers(address, StackHost.sshPort)
        }
    }

    /// The line for a known_hosts file.
    func knownHostsLine() throws -> String {
        let key = try LabFile.read("\(root)/ssh/ssh_host_ed25519_key.pub").split(separator: " ")
        return "[\(address)]:\(StackHost.sshPort) \(key[0]) \(key[1])"
    }
}
