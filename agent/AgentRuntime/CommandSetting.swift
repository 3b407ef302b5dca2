import Glibc
import SafeText
import UpgradeDomain

/// A command as this host will execute it: absolute paths and the complete environment.
struct CommandSetting: Sendable {
    var arguments: [String]
    var environment: [String: String]
    var workingDirectory: String
    var timeout: Duration
    /// The path of the script whose content is the instrument.
    var script: String

    private static let standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// - Parameters:
    ///   - hostDirectory: the host's working directory, absolute.
    ///   - additions: variables that the agent sets; the command's own override them.
    init(_ command: ScriptCommand, hostDirectory: String, additions: [String: String] = [:]) {
        var environment = ["PATH": CommandSetting.standardPath, "LANG": "C.UTF-8", "HOME": "/"]
        for name in ["PATH", "HOME", "USER", "LOGNAME", "LANG"] {
            if let value = environmentValue(name) { environment[name] = value }
        }
        environment.merge(additions) { $1 }
        environment.merge(command.environment) { $1 }
        self.environment = environment
        arguments = command.arguments
        workingDirectory = absolutePath(command.workingDirectory ?? "", in: hostDirectory)
        timeout = .seconds(command.timeoutSeconds)
        script = command.scriptPath
        script = located(command.scriptPath) ?? absolutePath(command.scriptPath, in: workingDirectory)
    }

    /// The path of the executable: as written if it has a slash, else the first match in the command's PATH.
    var executable: String? { located(arguments[0]) }

    /// The file that an argument of the command means; nil for a bare name that is not in PATH.
    private func located(_ word: String) -> String? {
        if word.holds(anyOf: "/") { return absolutePath(word, in: workingDirectory) }
        for directory in (environment["PATH"] ?? "").fields(separatedBy: ":") {
            let path = absolutePath("\(directory)/\(word)", in: workingDirectory)
            if isExecutableFile(path) { return path }
        }
        return nil
    }
}

/// An absolute path; a relative one is taken from the directory. `..` and links are left to the kernel.
func absolutePath(_ path: String, in directory: String) -> String {
    let whole = path.begins(with: "/") ? path : "\(directory)/\(path)"
    return "/" + whole.fields(separatedBy: "/").filter { $0 != "." }.joined(separator: "/")
}

func isExecutableFile(_ path: String) -> Bool { isRegularFile(path) && access(path, X_OK) == 0 }

func isRegularFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
}
