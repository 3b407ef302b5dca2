import Glibc
import SystemPackage

/// Enforces the deadline of each phase of a login by `ssh`.
///
/// The log of `ssh` is the only visible sign of its progress, so it is checked at the interval of the shortest
/// deadline. The time of its last line shows when the phase began.
struct OpenSSHLoginWatch {
    /// Where `ssh` writes its standard error.
    let log: FileDescriptor
    let deadlines: SSHDeadlines

    /// Returns an error once a phase has exceeded its deadline.
    func expired() async throws -> SSHError.Code {
        let clock = ContinuousClock()
        let start = clock.now
        let look = shortest
        var phase = OpenSSHLog.Phase.resolution
        var keyCount = 0
        var since = start
        var lastLook = start
        while true {
            try await clock.sleep(until: min(since + limit(of: phase), clock.now + look))
            let (bytes, written) = try log.tail(OpenSSHConnection.logBytes)
            let log = OpenSSHLog(bytes)
            let now = clock.now
            if let reached = log.phase, reached != phase || reached == .agent && log.keyCount != keyCount {
                // One deadline covers both. The wall clock may have been changed meanwhile.
                if (phase, reached) != (.banner, .keyExchange) {
                    since = max(lastLook, now - max(.zero, age(of: written)))
                }
                (phase, keyCount) = (reached, log.keyCount)
            }
            lastLook = now
            // A server that makes the log grow forever gets at most the sum of all phases' deadlines.
            if now >= min(since + limit(of: phase), start + all) { return code(of: phase) }
        }
    }

    private func age(of written: timespec) -> Duration {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        return Duration(
            secondsComponent: Int64(wall.tv_sec - written.tv_sec),
            attosecondsComponent: Int64(wall.tv_nsec - written.tv_nsec) * 1_000_000_000)
    }

    private func limit(of phase: OpenSSHLog.Phase) -> Duration {
        switch phase {
        case .resolution: deadlines.resolution
        case .connect: deadlines.connect
        case .banner, .keyExchange: deadlines.handshake
        case .agent: deadlines.agent
        case .authentication: deadlines.authentication
        }
    }

    private var limits: [Duration] {
        [deadlines.resolution, deadlines.connect, deadlines.handshake, deadlines.agent, deadlines.authentication]
    }
    private var shortest: Duration { limits.min() ?? .zero }
    private var all: Duration { limits.reduce(.zero, +) }

    private func code(of phase: OpenSSHLog.Phase) -> SSHError.Code {
        switch phase {
        case .resolution: .resolutionTimedOut
        case .connect: .connectTimedOut
        case .banner: .bannerTimedOut
        case .keyExchange: .handshakeTimedOut
        case .agent: .agentFailed
        case .authentication: .authenticationTimedOut
        }
    }
}

extension FileDescriptor {
    /// The last bytes of a file that other processes may be writing to, with the time of the last write.
    func tail(_ limitBytes: Int) throws -> (bytes: [UInt8], written: timespec) {
        let status = try stat()
        let count = min(Int(status.size), limitBytes)
        let offset = status.size - Int64(count)
        let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, read in
            read = try self.read(fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return (bytes, status.st_mtim)
    }
}
