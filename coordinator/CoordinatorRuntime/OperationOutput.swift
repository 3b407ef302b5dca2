package import AgentProtocol
package import UpgradeDomain

/// Reads what an operation printed from the journal of its host. Claims and changes nothing there.
package struct OperationOutput: Sendable {
    /// The state of an operation, as its host reports it.
    package enum Standing: Sendable {
        case ended(OperationRecord)
        /// It is still running, and its end was not waited for.
        case running
        /// It never ran.
        case tombstoned
        /// Its host has no record of it, or not any more.
        case unknown
    }

    /// Longer than any operation may run. The agent answers once the operation has ended or lost its supervisor.
    static let followTimeout = Duration.seconds(30 * 86_400)

    private let reader: FleetReader

    package init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// Delivers the output of an operation, piece by piece in order.
    ///
    /// - Parameter follows: whether to wait for more until it has ended. Agents with protocols before 3 always wait.
    package func read(
        _ id: OperationID, on host: Host, follows: Bool, _ take: (OutputReply) async -> Void
    ) async throws(ContactFailure) -> Standing {
        try await reader.read(host) { session, hello throws(ContactFailure) in
            let request = AttachRequest(operation: id, fromByte: 0, follows: follows || hello.protocolVersion < 3)
            let replies = try await session.replies(to: .attach(request), timeout: OperationOutput.followTimeout)
            do {
                for try await reply in replies {
                    switch reply {
                    case .output(let piece): await take(piece)
                    case .ended(let record): return .ended(record)
                    case .running: return .running
                    case .tombstoned: return .tombstoned
                    case .refused(let refusal) where refusal.code == .unknownOperation: return .unknown
                    case .hello, .preflight, .surface, .captured, .started, .confirmed, .journal, .refused:
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
