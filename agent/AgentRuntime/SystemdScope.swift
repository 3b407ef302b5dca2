import Glibc
import SafeText
import UpgradeDomain

/// The scope unit of its own that an operation's supervisor moves into where systemd runs.
///
/// A new session (setsid(2)) outlives sshd, but not systemd's `KillUserProcesses=yes` nor a stop of the login's scope:
/// both end a control group with all that is in it. A scope keeps the process itself, and with it the lock that it
/// holds, which a service that systemd starts would not inherit.
enum SystemdScope {
    /// How a supervisor stands to the session that started it.
    enum Standing: Hashable, Sendable {
        /// There is no systemd, or an ordinary user's manager that ends with the last login: nothing to move to.
        case notOffered
        case own
        /// systemd did not move it; the operation goes on where it is.
        case shared(reason: String)
    }

    /// Where systemd says that it runs (sd_booted(3)).
    private static let bootedFolder = "/run/systemd/system"
    private static let lingerFolder = "/var/lib/systemd/linger"
    private static let askSeconds = 5

    /// Moves this process into a scope of its own and sees that it is there.
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
        // The answer names a job; the process moves when the job runs.
        let deadline = Deadline(after: .seconds(askSeconds))
        while !ownControlGroups().holds("/\(name)\n") {
            guard !deadline.hasPassed else { return .shared(reason: "systemd was asked and did not move it") }
            pauseBeforeNextLook()
        }
        return .own
    }

    /// The manager that may hold this user's processes beyond a login.
    private struct Manager {
        var option: String
        var environment: [String: String]

        static var ofThisUser: Manager? {
            if geteuid() == 0 { return Manager(option: "--system", environment: [:]) }
            guard let user = environmentValue("USER"), access("\(lingerFolder)/\(user)", F_OK) == 0 else { return nil }
            return Manager(option: "--user", environment: ["XDG_RUNTIME_DIR": "/run/user/\(geteuid())"])
        }
    }

    /// cgroups(7): a line for each hierarchy, which ends with the path in it.
    private static func ownControlGroups() -> String {
        let bytes = try? Folder(path: "/proc/self").read("cgroup")
        return String(decoding: bytes ?? [], as: UTF8.self)
    }
}
