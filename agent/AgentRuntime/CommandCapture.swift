import AgentProtocol
import ContentDigest
import Glibc
import UpgradeDomain

/// The answer of a command, or why there is none.
struct CommandAnswer: Sendable {
    var end: ProcessEnd?
    /// The first bytes of its standard output.
    var output: [UInt8] = []
    var isTruncated = false
    /// The last bytes of its standard error, if they were requested.
    var errors: [UInt8] = []
    var errorsBeginCut = false
    var failure: UnknownReason?
    /// The digest of the script that answered, if it was requested.
    var instrumentDigest: Digest?
}

/// Runs a read-only command and captures its standard output.
enum CommandCapture {
    /// Runs the command to its end or deadline. At the deadline it ends the command's process group.
    ///
    /// Output past the limit is read and dropped, so that the command can end by itself.
    ///
    /// - Parameters:
    ///   - vouches: digests the script; if the script was replaced while it ran, there is no answer.
    ///   - errorBytes: how much of the end of its standard error is kept; 0 discards it.
    static func run(
        _ setting: CommandSetting, limitBytes: Int = ProtocolLimits.surfaceBytes, vouches: Bool = false,
        errorBytes: Int = 0, isWanted: () -> Bool
    ) -> CommandAnswer {
        guard let executable = setting.executable else {
            return failed(.notRun, "\(setting.arguments[0]) is not in PATH on the host")
        }
        guard let output = CapturePipe() else { return failed(.notRun, systemErrorText(errno)) }
        defer { close(output.ours) }
        let errors = errorBytes > 0 ? CapturePipe() : nil
        defer { if let errors { close(errors.ours) } }
        let child: ChildProcess
        do {
            child = try ChildProcess(
                executable: executable, arguments: setting.arguments, environment: setting.environment,
                workingDirectory: setting.workingDirectory, output: output.theirs,
                errors: errors.map { .to($0.theirs) } ?? .discarded)
        } catch {
            for pipe in [output, errors] { if let pipe { close(pipe.theirs) } }
            return failed(.notRun, error.message)
        }
        for pipe in [output, errors] { if let pipe { close(pipe.theirs) } }
        let instrument = vouches ? Instrument(of: setting.script) : nil
        let failure = child.release()
        guard failure == 0 else {
            _ = child.wait(atMost: AgentLimits.killGrace)
            return failed(
                .notRun, "\(executable) can not run in \(setting.workingDirectory): \(systemErrorText(failure))")
        }
        var answer = follow(
            child, reading: output.ours, limitBytes, errors: errors?.ours, errorBytes, timeout: setting.timeout,
            isWanted: isWanted)
        answer.instrumentDigest = instrument?.digest
        if instrument?.isReplaced == true {
            let words = "\(setting.script) was replaced or touched while it ran, so the file that answered is not known"
            answer.failure = answer.failure ?? failed(.untrusted, words).failure
        }
        return answer
    }

    private static func follow(
        _ child: ChildProcess, reading descriptor: Int32, _ limitBytes: Int, errors: Int32?, _ errorBytes: Int,
        timeout: Duration, isWanted: () -> Bool
    ) -> CommandAnswer {
        var answer = CommandAnswer()
        let deadline = Deadline(after: timeout)
        var isOpen = true
        var errors = errors
        while true {
            // Checked before the pipe is emptied, so that everything an ended command wrote is included.
            let pause = isOpen ? .zero : AgentLimits.pollInterval
            answer.end = child.wait(atMost: pause)
            if isOpen {
                isOpen = drain(descriptor, until: deadline) { bytes in
                    let room = limitBytes - answer.output.count
                    answer.output += bytes.prefix(room)
                    if bytes.count > room { answer.isTruncated = true }
                }
            }
            if let open = errors {
                let isOpen = drain(open, until: deadline) { bytes in
                    answer.errors += bytes
                    guard answer.errors.count > errorBytes else { return }
                    answer.errors.removeFirst(answer.errors.count - errorBytes)
                    answer.errorsBeginCut = true
                }
                if !isOpen { errors = nil }
            }
            if answer.end != nil { return answer }
            guard !deadline.hasPassed, isWanted() else { break }
            if isOpen {
                var readable = [descriptor, errors ?? -1].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                _ = poll(&readable, 2, deadline.remainingMilliseconds(atMost: AgentLimits.pollInterval))
            }
        }
        let survivors = child.endGroup(alreadyEnded: false)
        answer.failure = UnknownReason(
            .timedOut,
            "no end within \(timeout.components.seconds) s" + (survivors ? "; a process of it survived" : ""))
        return answer
    }

    /// Reads what is in the pipe; false once it is closed.
    private static func drain(
        _ descriptor: Int32, until deadline: Deadline, _ take: (ArraySlice<UInt8>) -> Void
    ) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        repeat {
            let count = read(descriptor, &chunk, chunk.count)
            if count == 0 { return false }
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            take(chunk[..<count])
        } while !deadline.hasPassed
        return true
    }

    private static func failed(_ code: UnknownReason.Code, _ detail: String) -> CommandAnswer {
        CommandAnswer(failure: UnknownReason(code, String(detail.prefix(AgentLimits.detailCharacters))))
    }
}

/// A pipe that is non-blocking only on this end; the command gets an ordinary one.
private struct CapturePipe {
    let ours: Int32
    let theirs: Int32

    /// Nil if the system has none left; `errno` says why.
    init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        (ours, theirs) = (ends[0], ends[1])
    }
}
