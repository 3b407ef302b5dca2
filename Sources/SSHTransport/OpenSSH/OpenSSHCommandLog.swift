import FoundationEssentials

/// The standard error of `ssh` over a kept login: its own log until the command starts, then the command's standard
/// error, then the log of the end. The texts are those of LogLevel DEBUG2 in OpenSSH 9.2.
struct OpenSSHCommandLog {
    private(set) var hasStarted = false
    /// What `ssh` logged before the start, or the end of what the command has written since.
    private var bytes: [UInt8] = []

    /// How `ssh` itself ended.
    enum Ending: Equatable {
        /// With the status of the command.
        case status
        /// The connection's process reported no status: a signal ended the command, it could not be run, or the
        /// connection is lost.
        case nothing
        /// With an error of its own.
        case trouble
    }

    private static let prefixes = [Array("debug1: ".utf8), Array("debug2: ".utf8)]
    private static let start = Array("mux_client_request_session: master session id: ".utf8)
    private static let status = Array("debug2: Received exit status from master ".utf8)
    private static let nothing = Array("debug2: Control master terminated unexpectedly".utf8)
    /// Room for the longer of the last two lines, plus a margin.
    private static let endingBytes = 64

    mutating func take(_ more: [UInt8]) {
        bytes += more
        if !hasStarted { lookForStart() }
        bytes = bytes.suffix(TransportLimits.errorTailBytes + OpenSSHCommandLog.endingBytes)
    }

    private mutating func lookForStart() {
        guard let found = bytes.firstRange(of: OpenSSHCommandLog.start),
            let end = bytes[found.upperBound...].firstIndex(of: 0x0a)
        else { return }
        hasStarted = true
        bytes = OpenSSHCommandLog.withoutLog(bytes[...end]) + bytes[(end + 1)...]
    }

    /// What the command wrote before `ssh` logged that it had started; another process passes on the command's output.
    ///
    /// - Parameter lines: they end with a line of the log. Each log line is written in one piece, at any position in
    ///   the command's output.
    private static func withoutLog(_ lines: ArraySlice<UInt8>) -> [UInt8] {
        lines.split(separator: 0x0a, omittingEmptySubsequences: false).dropLast().flatMap { line in
            let own = prefixes.compactMap { line.firstRange(of: $0)?.lowerBound }.min()
            return own.map { Array(line[..<$0]) } ?? Array(line) + [0x0a]
        }
    }

    /// The end of the command's own standard error so far.
    var commandTail: [UInt8] { hasStarted ? bytes.suffix(TransportLimits.errorTailBytes) : [] }

    /// Nothing follows. Removes what is not the command's.
    mutating func end() -> Ending {
        if takeOff(OpenSSHCommandLog.status) { return .status }
        return takeOff(OpenSSHCommandLog.nothing) ? .nothing : .trouble
    }

    /// The line may directly follow the command's output.
    private mutating func takeOff(_ line: [UInt8]) -> Bool {
        let last = bytes.suffix(OpenSSHCommandLog.endingBytes)
        guard hasStarted, let found = last.ranges(of: line).last,
            last[found.upperBound...].allSatisfy({ $0 == 0x0d || $0 == 0x0a || (0x30...0x39).contains($0) })
        else { return false }
        bytes.removeSubrange(found.lowerBound...)
        return true
    }

    /// The error messages of `ssh` itself, together with the command's output if it had started.
    var own: OpenSSHLog { OpenSSHLog(bytes) }
}
