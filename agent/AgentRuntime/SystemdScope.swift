import Glibc
import SafeText
import UpgradeDomain

/// The separate scope unit that an operation's supervisor moves into if systemd is running.
///
/// A new session (setsid(2)) outlives sshd, but not systemd's `KillUserProcesses=yes` or a stop of the login's scope:
/// both kill a whole control group. A scope keeps the process itself, and with it the lock that it holds. A service
/// started by systemd would not inherit the lock.
enum SystemdScope {
    /// How a supervisor relates to the session that started it.
    enum Standing: Hashable, Sendable {
        /// There is no systemd, or only an ordinary user's manager that ends with the last login: there is nothing to
        /// move to.
        case notOffered
        case own
        /// systemd did not move it; the operation continues where it is.
        case shared(reason: String)
    }

    /// The folder that shows that systemd is running (sd_booted(3)).
    private static let bootedFolder = "/run/systemd/system"
    private static let lingerFolder = "/var/lib/systemd/linger"
    private static let askSeconds = 5

    /// Moves this process into its own scope and checks that it is there.
    static func enter(describedAs description: String) -> Standing {
        guard access(bootedFolder, F_OK) == 0, let manager = Manager.ofThisUser else { return .notOffered }
        let name = "lockflight-\(getpid()).scope"
        let call = [
            "busctl", manager.option, "--quiet", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail", "2", "PIDs",
            "au", "1", "\(getpid())", "Description", "s", description, "0",
        ]
        let setting = CommandSetting(
            ScriptCommand(arguments: call, environment: manager.environment, timeoutSeconds: askSeconds),
            hostDirectory: "/")
        let answer = CommandCapture.run(setting) { true }
        if let failure = answer.failure { return .shared(reason: failure.detail) }
        guard answer.end == .exited(code: 0) else { return .shared(reason: "systemd refused it") }
        // The answer names a job. The process moves when the job runs.
        let deadline = Deadline(after: .seconds(askSeconds))
        while !ownControlGroups().holds("/\(name)\n") {
            guard !deadline.hasPassed else { return .shared(reason: "systemd was asked and did not move it") }
            pauseBeforeNextLook()
        }
        return .own
    }

    /// The manager that can hold this user's processes beyond a login.
    private struct Manager {
        var option: String
        var environment: [String: String]

        static var ofThisUser: Manager? {
            if geteuid() == 0 { return Manager(option: "--system", environment: [:]) }
            guard let user = environmentValue("USER"), access("\(lingerFolder)/\(user)", F_OK) == 0 else { return nil }
            return Manager(option: "--user", environment: ["XDG_RUNTIME_DIR": "/run/user/\(geteuid())"])
        }
    }

    /// cgroups(7): one line per hierarchy, ending with the path in it.
    private static func ownControlGroups() -> String {
        let bytes = try? Folder(path: "/proc/self").read("cgroup")
        return String(decoding: bytes ?? [], as: UTF8.self)
    }
}
