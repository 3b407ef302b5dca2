import RolloutEngine
import Synchronization
import UpgradeDomain

/// Tells whoever drives a run when it comes to wait for an approval: what was approved in advance is recorded then.
final class ApprovalNews: Sendable {
    /// An element for each wait that began; several that nobody has looked at are one.
    let begun: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let known = Mutex<ApprovalWait?>(nil)

    init() {
        (begun, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Called with each state of the run. A wait that goes on is no news.
    func observe(_ state: RolloutState) {
        let now = state.wait?.wait
        let isNew = known.withLock { known in
            defer { known = now }
            return now != nil && known != now
        }
        if isNew { continuation.yield() }
    }
}
