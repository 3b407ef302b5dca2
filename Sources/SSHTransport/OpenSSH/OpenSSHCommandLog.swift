import FoundationEssentials

/// The standard error of `ssh` over a kept login: its own log as far as the command's start, what the command says, and the log of
/// the end. These are the words of LogLevel DEBUG2 in OpenSSH 9.2.
struct OpenSSHCommandLog {
    private(set) var hasStarted = false
    /// What `ssh` said before the start, or the end of what the command has said since.
    private var bytes: [UInt8] = []

    /// How `ssh` itself ended.
    enum Ending: Equatable {
        /// With the status of the command.
        case status
        /// The connection's process reported no status: a signal ended the command, it could not be run, or the connection is gone.
        case nothing
        /// With trouble of its own.
        case trouble
    }

    private static let prefixes = [Array("debug1: ".utf8), Array("debug2: ".utf8)]
    private static let start = Array("mux_client_request_session: master session id: ".utf8)
    private static let status = Array("debug2: Received exit status from master ".utf8)
    private static let nothing = Array("debug2: Control master terminated unexpectedly".utf8)
    /// The longer of the last two lines, with room to spare.
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

    /// What the command has said before `ssh` came to say that it had started: its words are passed on by another process.
    ///
    /// - Parameter lines: end with a line of the log; each of these is written at once, at any place of the command's.
    private static func withoutLog(_ lines: ArraySlice<UInt8>) -> [UInt8] {
        lines.split(separator: 0x0a, omittingEmptySubsequences: false).dropLast().flatMap { line in
            let own = prefixes.compactMap { line.firstRange(of: $0)?.lowerBound }.min()
            return own.map { Array(line[..<$0]) } ?? Array(line) + [0x0a]
        }
    }

    /// The end of the command's own standard error so far.
    var commandTail: [UInt8] { hasStarted ? bytes.suffix(TransportLimits.errorTailBytes) : [] }

    /// Nothing follows; takes off what is not the command's.
    mutating func end() -> Ending {
        if takeOff(OpenSSHCommandLog.status) { return .status }
        return takeOff(OpenSSHCommandLog.nothing) ? .nothing : .trouble
    }

    /// The line may follow directly on what the command has said.
    private mutating func takeOff(_ line: [UInt8]) -> Bool {
        let last = bytes.suffix(OpenSSHCommandLog.endingBytes)
        guard hasStarted, let found = last.ranges(of: line).last,
            last[found.upperBound...].allSatisfy({ $0 == 0x0d || $0 == 0x0a || (0x30...0x39).contains($0) })
        else { return false }
        bytes.removeSubrange(found.lowerBound...)
        return true
    }

    /// What `ssh` says of its own trouble, with what the command said if it had started.
    var own: OpenSSHLog { OpenSSHLog(bytes) }
}
