import AgentProtocol
import Glibc
import UpgradeDomain

/// The agent's command line.
package enum AgentProgram {
    /// The machine that this build runs on, as `uname -m` names it.
    static var architecture: String {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "aarch64"
        #else
            "unknown"
        #endif
    }

    private static let usage = """
        usage: lockflight-agent serve      answer requests, one JSON object a line, on standard input and output
               lockflight-agent version    print the version

        The coordinator runs `lockflight-agent serve` over SSH; see docs/protocol.md.

        """

    /// Runs the command that the arguments name.
    ///
    /// - Returns: the exit code: 0, 64 for an invalid command line, 70 if a supervisor could not do its work.
    package static func run(arguments: [String]) -> Int32 {
        // A closed reader is an error of write(2), not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // A file that may not grow any more is also only an error. Scripts get the default handling of both signals
        // back.
        signal(SIGXFSZ, SIG_IGN)
        switch Array(arguments.dropFirst()) {
        case ["serve"]:
            var loop = ServeLoop(
                agent: HostAgent(state: .ofEnvironment()), input: STDIN_FILENO, output: STDOUT_FILENO)
            loop.run()
            return 0
        case ["version"]:
            let text =
                "lockflight-agent \(LockflightVersion.current) protocol \(ProtocolLimits.versions.map(String.init).joined(separator: ",")) \(architecture)\n"
            return writeAll(STDOUT_FILENO, Array(text.utf8)) == 0 ? 0 : 74
        case let words where words.count == 2 && words[0] == "supervise":
            return supervise(words[1])
        default:
            _ = writeAll(STDERR_FILENO, Array(usage.utf8))
            return 64
        }
    }

    private static func supervise(_ path: String) -> Int32 {
        do throws(Refusal) {
            var supervisor = try OperationSupervisor(state: .ofEnvironment(), path: path)
            supervisor.leaveSession()
            try supervisor.run()
            return 0
        } catch {
            // There is no one to report to; the missing record shows it.
            return 70
        }
    }
}
