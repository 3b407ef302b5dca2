import Glibc
import UpgradeDomain

extension WallTime {
    /// The host's wall clock; never used for a deadline.
    static var now: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(time)
    }

    /// A file system may report any number of seconds.
    init(_ time: timespec) {
        let (milliseconds, isBeyond) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000)
        let nearest = isBeyond ? (time.tv_sec < 0 ? Int64.min : .max) : milliseconds
        self = WallTime(clamping: nearest).advanced(byMilliseconds: Int64(time.tv_nsec) / 1_000_000)
    }
}

/// A point in time since this boot that sleep and clock jumps do not affect (`CLOCK_BOOTTIME`, clock_gettime(2)). It is
/// the same for every process of the machine, so it can be stored in a file together with the boot ID.
package struct BootTime: Codable, Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    static var now: BootTime {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return BootTime(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }

    package static func < (one: BootTime, other: BootTime) -> Bool { one.milliseconds < other.milliseconds }
}

extension Duration {
    var wholeMilliseconds: Int64 { components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000 }
}

/// A point in monotonic time by which something must have ended.
struct Deadline: Sendable {
    private let instant: ContinuousClock.Instant

    init(after duration: Duration) { instant = ContinuousClock.now.advanced(by: duration) }

    var hasPassed: Bool { ContinuousClock.now >= instant }

    /// The remaining time in whole seconds, rounded down, at least zero.
    var remainingWholeSeconds: Int { max(0, Int(ContinuousClock.now.duration(to: instant).components.seconds)) }

    /// The remaining time, at least zero and at most `most`, in whole milliseconds rounded up.
    func remainingMilliseconds(atMost most: Duration) -> Int32 {
        let left = min(ContinuousClock.now.duration(to: instant), most)
        return left <= .zero ? 0 : Int32(clamping: left.wholeMilliseconds + 1)
    }
}

/// Blocks this thread until the next poll of something that gives no notification.
func pauseBeforeNextLook() {
    pause(AgentLimits.pollInterval)
}

/// Blocks this thread for a while (nanosleep(2)).
func pause(_ duration: Duration) {
    let milliseconds = Int(duration.wholeMilliseconds)
    var interval = timespec(tv_sec: milliseconds / 1_000, tv_nsec: milliseconds % 1_000 * 1_000_000)
    nanosleep(&interval, nil)
}

/// The text and the number of a system error, such as `No such file or directory (2)`.
func systemErrorText(_ code: Int32) -> String { "\(String(cString: strerror(code))) (\(code))" }
