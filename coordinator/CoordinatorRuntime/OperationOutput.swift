package import AgentProtocol
package import UpgradeDomain

/// Reads what an operation printed from the journal of its host. Claims and changes nothing there.
package struct OperationOutput: Sendable {
    /// What became of an operation, as its host says.
    package enum Standing: Sendable {
        case ended(OperationRecord)
        /// It goes on, and nobody waited for its end.
        case running
        /// It never ran.
        case tombstoned
        /// Its host has nothing of it, or no more.
        case unknown
    }

    /// Longer than any plan lets an operation run; its agent answers once it has ended or lost its supervisor.
    static let followTimeout = Duration.seconds(30 * 86_400)

    private let reader: FleetReader

    package init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// Hands over what there is of an operation's output, piece by piece in order.
    ///
    /// - Parameter follows: whether to wait for more until it has ended. Agents of protocols before 3 always do.
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
