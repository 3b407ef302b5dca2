import AgentProtocol
import ContentDigest
import Glibc
import UpgradeDomain

/// What a command said, or why it said nothing.
struct CommandAnswer: Sendable {
    var end: ProcessEnd?
    /// The first bytes of its standard output.
    var output: [UInt8] = []
    var isTruncated = false
    var failure: UnknownReason?
    /// Of the script that answered, where that was asked for.
    var instrumentDigest: Digest?
}

/// Runs a command that only looks, and takes its standard output.
enum CommandCapture {
    /// Runs the command to its end or deadline, then ends its process group at the deadline.
    ///
    /// Output past the limit is read and dropped, so that the command can end by itself.
    ///
    /// - Parameter vouches: digests the script; an answer while which it was replaced is none.
    static func run(
        _ setting: CommandSetting, limitBytes: Int = ProtocolLimits.surfaceBytes, vouches: Bool = false,
        isWanted: () -> Bool
    ) -> CommandAnswer {
        guard let executable = setting.executable else {
            return failed(.notRun, "\(setting.arguments[0]) is not in PATH on the host")
        }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return failed(.notRun, systemErrorText(errno)) }
        defer { close(ends[0]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // Only the agent's end may not block; the command gets an ordinary one.
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        let child: ChildProcess
        do {
            child = try ChildProcess(
                executable: executable, arguments: setting.arguments, environment: setting.environment,
                workingDirectory: setting.workingDirectory, output: ends[1], discardsErrors: true)
        } catch {
            close(ends[1])
            return failed(.notRun, error.message)
        }
        close(ends[1])
        let instrument = vouches ? Instrument(of: setting.script) : nil
        let failure = child.release()
        guard failure == 0 else {
            _ = child.wait(atMost: AgentLimits.killGrace)
            return failed(.notRun, "\(executable) can not run: \(systemErrorText(failure))")
        }
        var answer = follow(
            child, reading: ends[0], limitBytes: limitBytes, timeout: setting.timeout, isWanted: isWanted)
        answer.instrumentDigest = instrument?.digest
        if instrument?.isReplaced == true {
            let words = "\(setting.script) was replaced or touched while it ran, so what answered is not known"
            answer.failure = answer.failure ?? failed(.untrusted, words).failure
        }
        return answer
    }

    private static func follow(
        _ child: ChildProcess, reading descriptor: Int32, limitBytes: Int, timeout: Duration, isWanted: () -> Bool
    ) -> CommandAnswer {
        var answer = CommandAnswer()
        let deadline = Deadline(after: timeout)
        var isOpen = true
        while true {
            // Asked before the pipe is emptied: what an ended command wrote is all there.
            let pause = isOpen ? .zero : AgentLimits.pollInterval
            answer.end = child.wait(atMost: pause)
            if isOpen {
                isOpen = drain(descriptor, into: &answer, limitBytes: limitBytes, until: deadline)
            }
            if answer.end != nil { return answer }
            guard !deadline.hasPassed, isWanted() else { break }
            if isOpen {
                var readable = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&readable, 1, deadline.remainingMilliseconds(atMost: AgentLimits.pollInterval))
            }
        }
        let survivors = child.endGroup(alreadyEnded: false)
        answer.failure = UnknownReason(
            .timedOut,
            "no end within \(timeout.components.seconds) s" + (survivors ? "; a process of it would not die" : ""))
        return answer
    }

    /// Takes what is in the pipe; false once it is closed.
    private static func drain(
        _ descriptor: Int32, into answer: inout CommandAnswer, limitBytes: Int, until deadline: Deadline
    ) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        repeat {
            let count = read(descriptor, &chunk, chunk.count)
            if count == 0 { return false }
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            let room = limitBytes - answer.output.count
            answer.output += chunk[..<min(count, room)]
            if count > room { answer.isTruncated = true }
        } while !deadline.hasPassed
        return true
    }

    private static func failed(_ code: UnknownReason.Code, _ detail: String) -> CommandAnswer {
        CommandAnswer(failure: UnknownReason(code, String(detail.prefix(AgentLimits.detailCharacters))))
    }
}
