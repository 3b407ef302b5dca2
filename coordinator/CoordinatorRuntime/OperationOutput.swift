package import AgentProtocol
package import UpgradeDomain

/// Reads the output of an operation from the journal of its host. It claims and changes nothing there.
package struct OperationOutput: Sendable {
    /// The state of an operation on its host.
    package enum Standing: Sendable {
        case ended(OperationRecord)
        /// Still running; the reader did not wait for its end.
        case running
        /// It never ran.
        case tombstoned
        /// The host does not know it, or no longer.
        case unknown
    }

    /// The output as it comes, and how it ends.
    package struct Attachment: Sendable {
        /// In order. However slowly they are taken, the host is not kept waiting: an agent sends one attachment at most
        /// ``ProtocolLimits/attachedOutputBytes``.
        package let pieces: AsyncStream<OutputReply>
        private let end: Task<Result<Standing, ContactFailure>, Never>

        fileprivate init(_ pieces: AsyncStream<OutputReply>, _ end: Task<Result<Standing, ContactFailure>, Never>) {
            self.pieces = pieces
            self.end = end
        }

        /// Waits until the last piece has come.
        package func standing() async throws(ContactFailure) -> Standing { try await end.value.get() }
    }

    /// Longer than any plan lets an operation run. The agent answers once it has ended or lost its supervisor.
    static let followTimeout = Duration.seconds(30 * 86_400)

    private let reader: FleetReader

    package init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// Starts to read an operation's output.
    ///
    /// - Parameters:
    ///   - position: the first byte that is wanted.
    ///   - follows: whether to wait for more until it has ended. Agents that speak a protocol before 3 always wait.
    package func attach(
        to id: OperationID, on host: Host, fromByte position: Int64 = 0, follows: Bool
    ) -> Attachment {
        let (pieces, queue) = AsyncStream<OutputReply>.makeStream()
        let end = Task(executorPreference: reader.connector.executor) { [reader] in
            defer { queue.finish() }
            do throws(ContactFailure) {
                return Result<Standing, ContactFailure>.success(
                    try await OperationOutput.read(reader, id, host, position, follows) { queue.yield($0) })
            } catch {
                return .failure(error)
            }
        }
        return Attachment(pieces, end)
    }

    private static func read(
        _ reader: FleetReader, _ id: OperationID, _ host: Host, _ position: Int64, _ follows: Bool,
        _ take: (OutputReply) -> Void
    ) async throws(ContactFailure) -> Standing {
        try await reader.read(host) { session, hello throws(ContactFailure) in
            let request = AttachRequest(
                operation: id, fromByte: position, follows: follows || hello.protocolVersion < 3)
            let replies = try await session.replies(to: .attach(request), timeout: followTimeout)
            do {
                for try await reply in replies {
                    switch reply {
                    case .output(let piece): take(piece)
                    case .ended(let record): return .ended(record)
                    case .running: return .running
                    case .tombstoned: return .tombstoned
                    case .refused(let refusal) where refusal.code == .unknownOperation: return .unknown
                    case .hello, .preflight, .carried, .surface, .captured, .started, .confirmed, .journal, .refused:
                        throw unexpected(reply, to: "attach")
                    }
                }
            } catch let failure as ContactFailure {
                throw failure
            } catch {
                throw ContactFailure(.hostUnreachable, "\(error)")
            }
            throw ContactFailure(.hostUnreachable, "the output ended without a record")
        }
    }
}
