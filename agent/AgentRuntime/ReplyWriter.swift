import AgentProtocol
import Glibc
import Synchronization

/// Writes whole reply lines to a descriptor, from any thread.
final class ReplyWriter: Sendable {
    private let descriptor: Int32
    private let isOpenState = Mutex(true)

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// False once the reader is gone.
    var isOpen: Bool { isOpenState.withLock { $0 } }

    func send(_ re: UInt32, _ reply: AgentReply) {
        let line: [UInt8]
        do {
            line = try LineCodec.encode(ReplyFrame(re: re, reply: reply))
        } catch {
            let refusal = Refusal(.limitExceeded, "the reply does not fit the protocol: \(error)")
            return write((try? LineCodec.encode(ReplyFrame(re: re, reply: .refused(refusal)))) ?? [])
        }
        write(line)
    }

    private func write(_ line: [UInt8]) {
        isOpenState.withLock { isOpen in
            if isOpen, writeAll(descriptor, line) != 0 { isOpen = false }
        }
    }
}
