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

    /// - Parameters:
    ///   - position: the first byte that is wanted; afterwards the first that was not read, also where it throws.
    ///   - show: receives whole lines as they arrive.
    func read(
        _ id: OperationID, on host: UpgradeDomain.Host, from position: inout Int64, follows: Bool,
        _ show: ([TerminalText]) -> Void
    ) async throws(ContactFailure) -> Found {
        var lines = OutputLines()
        var bytes: [UInt8] = []
        var dropped: Int64 = 0
        let attachment = output.attach(to: id, on: host, fromByte: position, follows: follows)
        for await piece in attachment.pieces {
            show(lines.lines(completedBy: piece))
            if keepsText { bytes += piece.bytes.elements }
            dropped += piece.droppedBytes ?? 0
            position = piece.fromByte + Int64(piece.bytes.elements.count)
        }
        show(lines.end())
        return Found(
            standing: try await attachment.standing(), text: String(decoding: bytes, as: UTF8.self),
            droppedBytes: dropped)
    }

    func close() async { await connection.close() }
}
