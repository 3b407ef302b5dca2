import NIOCore
import SafeText

/// A running ssh-agent, which signs with keys that this process never sees.
///
/// Each event loop of the client uses one connection to it, made at first use and shared by the loop's sessions. A slow
/// agent delays only the logins that need it.
package final class SSHAgent: Sendable {
    /// As in `SSH_AUTH_SOCK`.
    package let socketPath: String
    private let places: [(loop: any EventLoop, connection: NIOLoopBoundBox<KeyAgentConnection?>)]

    init(socketPath: String, group: some EventLoopGroup) {
        self.socketPath = socketPath
        places = group.makeIterator().map {
            ($0, NIOLoopBoundBox.makeEmptyBox(valueType: KeyAgentConnection.self, eventLoop: $0))
        }
    }

    /// The blobs of the public keys whose private halves it holds, in its order.
    ///
    /// - Throws: `agentFailed` if it cannot be reached, refuses, or does not answer within the deadline.
    package func publicKeyBlobs(within deadline: Duration = SSHDeadlines().agent) async throws(SSHError) -> [[UInt8]] {
        let loop = places[0].loop
        let promise = loop.makePromise(of: [[UInt8]].self)
        loop.execute {
            self.ask(.identities, on: loop, within: deadline) { answer in
                promise.completeWith(answer.read(KeyAgentReply.keys).mapError { $0 })
            }
        }
        do {
            return try await promise.futureResult.get()
        } catch {
            let words = (error as? KeyAgentFault)?.words ?? "\(error)"
            throw SSHError(
                code: .agentFailed, host: socketPath,
                message: """
                    the ssh-agent at \(socketPath) did not say which keys it holds: \(words); its keys cannot be used. \
                    Try: SSH_AUTH_SOCK=\(ShellText.word(socketPath)) ssh-add -l
                    """)
        }
    }

    /// On `loop` only, which is one of the client's.
    func ask(
        _ request: KeyAgentRequest, on loop: any EventLoop, within deadline: Duration,
        _ answer: @escaping (KeyAgentConnection.Answer) -> Void
    ) {
        guard let place = places.first(where: { $0.loop === loop })?.connection else {
            return answer(.failure(.unreachable("it belongs to another client")))
        }
        let current: KeyAgentConnection
        if let connection = place.value, !connection.isOver {
            current = connection
        } else {
            current = KeyAgentConnection(socketPath: socketPath, loop: loop)
            place.value = current
        }
        current.ask(request, within: deadline, answer)
    }
}
