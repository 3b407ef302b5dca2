import CLinux
import Foundation
import Glibc
import SafeText
import Synchronization

/// A signal from the operator's terminal.
enum TerminalSignal: Int32, CaseIterable, Sendable {
    case interrupt = 2
    case hangUp = 1
    case terminate = 15
    case resized = 28

    /// How long the process may take to exit by itself after a second interrupt.
    static let patience = Duration.seconds(2)

    /// Signals as they arrive, until the process exits.
    ///
    /// A second interrupt ends the process even if other threads hang: it is handled by a thread of its own.
    ///
    /// - Parameter lastWords: the lines that are printed then.
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

    /// Restores the default action: an interrupt ends the process.
    static func restore() {
        isRestored.store(true, ordering: .sequentiallyConsistent)
        signal(TerminalSignal.interrupt.rawValue, SIG_DFL)
    }

    /// Gives the process time to exit by itself, then ends it as a crash would. The next driver settles what was in
    /// flight.
    private static func endInTime(_ lastWords: [TerminalText]) {
        Thread.sleep(forTimeInterval: patience / .seconds(1))
        if isRestored.load(ordering: .sequentiallyConsistent) { return }
        Renderer.lastWords(lastWords)
        _exit(ExitStatus.detached.rawValue)
    }
}
