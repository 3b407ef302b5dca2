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

/// A child that leads its own process group and waits to be released before it executes anything.
struct ChildProcess: Sendable {
    let identity: ProcessIdentity
    private let control: Int32

    /// Where a child's standard error goes.
    enum Errors {
        case withOutput, discarded
        case to(Int32)

        /// -1 stands for /dev/null.
        fileprivate func descriptor(_ output: Int32?) -> Int32 {
            switch self {
            case .withOutput: output ?? -1
            case .discarded: -1
            case .to(let descriptor): descriptor
            }
        }
    }

    /// Forks the child; it is gated until ``release()``.
    ///
    /// - Parameters:
    ///   - output: becomes descriptors 1 and 2; nil stands for /dev/null.
    ///   - errors: becomes descriptor 2 in place of `output`.
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
        // The child is gated, so it is there.
        identity = ProcessTable.identity(of: pid) ?? ProcessIdentity(pid: pid, startTicks: 0)
    }

    /// Lets the child execute; 0, or the errno that kept it from doing so.
    func release() -> Int32 { clinux_release(control) }

    /// Ends the child before it was released.
    func abandon() {
        close(control)
        _ = wait(atMost: AgentLimits.killGrace)
    }

    /// Waits for the end of the child itself; nil when it still runs.
    func wait(atMost duration: Duration) -> ProcessEnd? {
        var status: Int32 = 0
        let result = clinux_wait(identity.pid, Int32(clamping: duration.wholeMilliseconds), &status)
        // A child that can not be waited for is gone, and with it the way it ended.
        return result == 0 ? nil : result < 0 ? .signaled(signal: 0) : ProcessEnd(waitStatus: status)
    }

    /// Ends the whole process group: SIGTERM, a grace, SIGKILL, a grace. Processes that left the group live on.
    ///
    /// - Parameter alreadyEnded: whether the child itself was reaped.
    /// - Returns: whether a member survived, as one in an uninterruptible system call does.
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
