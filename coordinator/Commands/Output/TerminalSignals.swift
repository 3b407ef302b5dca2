import CLinux
import Foundation
import Glibc

/// What the operator's terminal tells us.
enum TerminalSignal: Int32, CaseIterable, Sendable {
    case interrupt = 2
    case hangUp = 1
    case terminate = 15
    case resized = 28

    /// Signals as they come, from now until the process ends.
    static func stream() -> AsyncStream<TerminalSignal> {
        let numbers = allCases.map(\.rawValue)
        let descriptor = lockflight_signal_pipe(numbers, Int32(numbers.count))
        return AsyncStream { continuation in
            guard descriptor >= 0 else {
                continuation.finish()
                return
            }
            Thread.detachNewThread {
                var byte: UInt8 = 0
                while true {
                    let count = read(descriptor, &byte, 1)
                    if count == 1, let signal = TerminalSignal(rawValue: Int32(byte)) { continuation.yield(signal) }
                    if count == 0 || (count < 0 && errno != EINTR) { return continuation.finish() }
                }
            }
        }
    }
}
