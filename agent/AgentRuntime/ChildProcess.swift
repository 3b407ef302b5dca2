import AgentProtocol
import CLinux
import Glibc
import UpgradeDomain

/// How a child process ended (wait(2)).
enum ProcessEnd: Hashable, Sendable {
    case exited(code: Int)
    case signaled(signal: Int)

    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited(code: Int(waitStatus >> 8 & 0xff)) : .signaled(signal: Int(signal))
    }
}

/// A child that leads its own process group and waits for ``release()`` before it executes anything.
struct ChildProcess: Sendable {
    let identity: ProcessIdentity
    private let control: Int32

    /// Where a child's standard error goes.
    enum Errors {
        case withOutput, discarded
        case to(Int32)

        /// -1 means /dev/null.
        fileprivate func descriptor(_ output: Int32?) -> Int32 {
            switch self {
            case .withOutput: output ?? -1
            case .discarded: -1
            case .to(let descriptor): descriptor
            }
        }
    }

    /// Forks the child. It is blocked until ``release()``.
    ///
    /// - Parameters:
    ///   - output: becomes descriptors 1 and 2; nil means /dev/null.
    ///   - errors: becomes descriptor 2 instead of `output`.
    ///   - passed: becomes descriptor 3.
    init(
        executable: String, arguments: [String], environment: [String: String], workingDirectory: String?,
        output: Int32?, errors: Errors = .withOutput, passed: Int32? = nil, ownSession: Bool = false
    ) throws(Refusal) {
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        var pid: pid_t = 0
        let result = withCStrings(arguments) { arguments in
            withCStrings(variables) { variables in
                withOptionalCString(workingDirectory) { directory in
                    executable.withCString { executable in
                        var launch = clinux_launch_request(
                            executable: executable, arguments: arguments, environment: variables,
                            working_directory: directory, standard_output: output ?? -1,
                            standard_error: errors.descriptor(output), passed_descriptor: passed ?? -1,
                            own_session: ownSession ? 1 : 0)
                        return clinux_launch(&launch, &pid)
                    }
                }
            }
        }
        guard result >= 0 else { throw Refusal.system(-result, "start a process") }
        control = result
        // The child is blocked, so it exists.
        identity = ProcessTable.identity(of: pid) ?? ProcessIdentity(pid: pid, startTicks: 0)
    }

    /// Lets the child execute; 0, or the errno that prevented it.
    func release() -> Int32 { clinux_release(control) }

    /// Ends the child before it is released.
    func abandon() {
        close(control)
        _ = wait(atMost: AgentLimits.killGrace)
    }

    /// Waits for the end of the child itself; nil if it is still running.
    func wait(atMost duration: Duration) -> ProcessEnd? {
        var status: Int32 = 0
        let result = clinux_wait(identity.pid, Int32(clamping: duration.wholeMilliseconds), &status)
        // A child that cannot be waited for is gone, and how it ended is lost.
        return result == 0 ? nil : result < 0 ? .signaled(signal: 0) : ProcessEnd(waitStatus: status)
    }

    /// Ends the whole process group: SIGTERM, a grace period, SIGKILL, a grace period. Processes that left the group
    /// continue to run.
    ///
    /// - Parameter alreadyEnded: whether the child itself was reaped.
    /// - Returns: whether a member survived, for example in an uninterruptible system call.
    func endGroup(alreadyEnded: Bool) -> Bool {
        var reaped = alreadyEnded
        for (signal, grace) in [(SIGTERM, AgentLimits.terminationGrace), (SIGKILL, AgentLimits.killGrace)] {
            kill(-identity.pid, signal)
            let deadline = Deadline(after: grace)
            while !deadline.hasPassed {
                if !reaped { reaped = wait(atMost: .zero) != nil }
                if reaped, !ProcessTable.hasLivingMember(groupOf: identity) { return false }
                pauseBeforeNextLook()
            }
        }
        return ProcessTable.hasLivingMember(groupOf: identity)
    }
}

private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let copies = strings.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return body(copies)
}

private func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let text else { return body(nil) }
    return text.withCString(body)
}
