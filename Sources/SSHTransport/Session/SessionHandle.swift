import NIOCore
import Synchronization

/// Gives any task access to a session: every request hops to the session's loop and waits there.
final class SessionHandle: Sendable {
    let target: SSHTarget
    let loop: any EventLoop
    private let box: NIOLoopBoundBox<SSHSession?>
    private let over = Atomic(false)
    /// Whether the session is over, so that dropping a handle needs no work.
    var isOver: Bool { over.load(ordering: .relaxed) }

    init(target: SSHTarget, loop: any EventLoop) {
        self.target = target
        self.loop = loop
        box = NIOLoopBoundBox.makeEmptyBox(valueType: SSHSession.self, eventLoop: loop)
    }

    /// Created on first use. On the loop only.
    var session: SSHSession {
        if let session = box.value { return session }
        let session = SSHSession(target: target, loop: loop) {
            self.over.store(true, ordering: .relaxed)
        }
        box.value = session
        return session
    }

    /// Starts a request on the loop and waits for its promise. A cancelled task stops waiting at once.
    ///
    /// `withdraw` runs on the loop and cancels what `start` set up in the session.
    func request<Value: Sendable>(
        _ start: @escaping @Sendable (SSHSession, EventLoopPromise<Value>) -> Void,
        withdraw: @escaping @Sendable (SSHSession, EventLoopPromise<Value>) -> Void
    ) async throws(SSHError) -> Value {
        let promise = loop.makePromise(of: Value.self)
        let isCancelled = NIOLoopBoundBox.makeBoxSendingValue(false, eventLoop: loop)
        do {
            return try await withTaskCancellationHandler {
                loop.execute {
                    if !isCancelled.value { start(self.session, promise) }
                }
                return try await promise.futureResult.get()
            } onCancel: {
                loop.execute {
                    isCancelled.value = true
                    withdraw(self.session, promise)
                    promise.fail(self.target.error(.cancelled))
                }
            }
        } catch let error as SSHError {
            throw error
        } catch {
            throw target.error(.closed, cause: "\(error)")
        }
    }

    /// Runs an action on the loop without waiting for it.
    func post(_ action: @escaping @Sendable (SSHSession) -> Void) {
        if !isOver { loop.execute { action(self.session) } }
    }
}
