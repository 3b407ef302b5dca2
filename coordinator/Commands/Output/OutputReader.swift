import AgentProtocol
import CoordinatorRuntime
import FleetAccess
import Ledger
import SafeText
import UpgradeDomain

/// Reads operations' outputs from hosts, as lines.
struct OutputReader {
    /// What an operation printed, and its state.
    struct Found {
        var standing: OperationOutput.Standing
        var text = ""
        var droppedBytes: Int64 = 0

        var record: OperationRecord? {
            switch standing {
            case .ended(let record): record
            case .running, .tombstoned, .unknown: nil
            }
        }
    }

    private let connection: FleetConnection
    private let output: OperationOutput
    private let keepsText: Bool

    init(_ context: Context, _ ledger: Ledger, hosts: [UpgradeDomain.Host]) async throws {
        connection = try await context.connection(to: hosts, of: ledger)
        output = OperationOutput(connector: connection.connector, ledger: ledger.id, clock: Context.clock)
        keepsText = context.isJSON
    }

    /// - Parameter show: receives whole lines as they arrive.
    func read(
        _ id: OperationID, on host: UpgradeDomain.Host, follows: Bool, _ show: ([TerminalText]) -> Void
    ) async throws(ContactFailure) -> Found {
        var lines = OutputLines()
        var bytes: [UInt8] = []
        var dropped: Int64 = 0
        let standing = try await output.read(id, on: host, follows: follows) { piece in
            show(lines.lines(completedBy: piece))
            if keepsText { bytes += piece.bytes.elements }
            dropped += piece.droppedBytes ?? 0
        }
        show(lines.end())
        return Found(standing: standing, text: String(decoding: bytes, as: UTF8.self), droppedBytes: dropped)
    }

    func close() async { await connection.close() }
}
