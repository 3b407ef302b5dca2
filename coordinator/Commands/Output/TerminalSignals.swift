import CLinux
import Foundation
import Glibc
import SafeText
import Synchronization

/// What the operator's terminal tells us.
enum TerminalSignal: Int32, CaseIterable, Sendable {
    case interrupt = 2
    case hangUp = 1
    case terminate = 15
    case resized = 28

    /// How long after a second interrupt the process may take to end by itself.
    static let patience = Duration.seconds(2)

    /// Signals as they come, from now until the process ends.
    ///
    /// A second interrupt ends the process whatever hangs: the thread that sees to it needs nothing of the rest.
    ///
    /// - Parameter lastWords: what is said then.
    static func stream(lastWords: [TerminalText]) -> AsyncStream<TerminalSignal> {
        let numbers = allCases.map(\.rawValue)
        let descriptor = lockflight_signal_pipe(numbers, Int32(numbers.count))
        return AsyncStream { continuation in
            guard descriptor >= 0 else {
                continuation.finish()
                return
            }
            Thread.detachNewThread {
                var byte: UInt8 = 0
                var interrupts = 0
                while true {
                    let count = read(descriptor, &byte, 1)
                    if count == 1, let signal = TerminalSignal(rawValue: Int32(byte)) {
                        continuation.yield(signal)
                        if signal == .interrupt { interrupts += 1 }
                        if interrupts == 2 { endInTime(lastWords) }
                    }
                    if count == 0 || (count < 0 && errno != EINTR) { return continuation.finish() }
                }
            }
        }
    }

    private static let isRestored = Atomic(false)

    /// From here on an interrupt ends the process as it ends any other.
    static func restore() {
        isRestored.store(true, ordering: .sequentiallyConsistent)
        signal(TerminalSignal.interrupt.rawValue, SIG_DFL)
    }

    /// Lets the process end by itself for a while, then ends it as a crash would: what a driver had begun is settled by the next.
    private static func endInTime(_ lastWords: [TerminalText]) {
        Thread.sleep(forTimeInterval: patience / .seconds(1))
        if isRestored.load(ordering: .sequentiallyConsistent) { return }
        Renderer.lastWords(lastWords)
        _exit(ExitStatus.detached.rawValue)
    }
}
