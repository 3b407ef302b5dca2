import AgentProtocol
import SafeText
import UpgradeDomain

/// The last coordinators that this host refused, one line each, for an operator who investigates on the host itself.
///
/// ```
/// 2026-11-24T02:10:07Z refused staleEpoch ledger=8f0c... epoch=3: epoch 3 is not the newest (4) that has driven ...
/// ```
struct RefusalLog {
    static let name = "refusals.log"
    static let keptLines = 200
    private let folder: Folder

    init(in folder: Folder) { self.folder = folder }

    /// Adds a line and drops the oldest ones. Call inside `StateFolder.exclusively`. If the log cannot be written, the
    /// refusal still takes effect.
    func add(_ refusal: Refusal, ledger: LedgerID, epoch: Epoch, at time: WallTime) {
        let text = (try? folder.read(RefusalLog.name)).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) } ?? ""
        let line =
            "\(time.rfc3339) refused \(refusal.code.rawValue) ledger=\(ledger) epoch=\(epoch): \(refusal.message)"
        // A coordinator can send any text as its ledger's ID.
        var printable = String.UnicodeScalarView()
        for scalar in line.unicodeScalars { printable.append((0x20..<0x7f).contains(scalar.value) ? scalar : "?") }
        let lines = text.fields(separatedBy: "\n").suffix(RefusalLog.keptLines - 1) + [String(printable)[...]]
        try? folder.write(RefusalLog.name, Array((lines.joined(separator: "\n") + "\n").utf8))
    }
}
