import AgentProtocol
import CLinux
import ContentDigest
import Glibc
import UpgradeDomain

/// What was dropped from the middle of an output. It is a hole in the file, or about to become one.
struct OutputGap: Codable, Hashable, Sendable {
    var fromByte: Int64
    /// The first byte after the gap.
    var endByte: Int64
}

/// The output of an operation. The script writes to the file itself, so the death of another process cannot block it.
///
/// Writers append. Of output larger than `ProtocolLimits.operationOutputBytes`, the first
/// ``AgentLimits/outputHeadBytes`` and the last part are kept, because errors are at the end. Offsets do not change. If
/// the file system cannot make holes in a file, the end is cut off and counted.
struct OutputFile: Sendable {
    static let name = "output"
    private static let gapName = "output.gap"
    private let folder: Folder
    var path: String { folder.path(of: OutputFile.name) }
    private var disk: any Disk { folder.disk }

    init(in folder: Folder) { self.folder = folder }

    /// The maximum kept after the gap.
    private static let endBytes = ProtocolLimits.operationOutputBytes - AgentLimits.outputHeadBytes
    private static let cutNote =
        "\nlockflight: the end of the output was cut off, as its middle could not be dropped on this file system\n"
    /// How much more may accumulate if a gap could not be recorded, as on a full disk, before the end is cut off after
    /// all.
    private static let patienceBytes: Int64 = 8 * 1_048_576

    private var gap: OutputGap? { try? folder.value(OutputGap.self, of: OutputFile.gapName) }

    /// The end of the output. Bytes written past it are about to be dropped, or to move it.
    var endByte: Int64 { end(behind: gap) }

    private func end(behind gap: OutputGap?) -> Int64 {
        let byteCount = disk.byteCount(of: path)
        let most = OutputFile.most(behind: gap)
        // If the output is about to be cut off, nothing after the cut is sent.
        return byteCount > most && gap == nil ? OutputFile.cut(behind: gap) : min(byteCount, most)
    }

    private static func most(behind gap: OutputGap?) -> Int64 {
        gap.map { $0.endByte + endBytes } ?? ProtocolLimits.operationOutputBytes
    }

    /// Where the end is cut off, leaving room for the note.
    private static func cut(behind gap: OutputGap?) -> Int64 { most(behind: gap) - Int64(cutNote.utf8.count) }

    /// Opens the file for a script to append to.
    func openForAppending() throws(Refusal) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Refusal.system(errno, "open \(path)") }
        return descriptor
    }

    // MARK: Limits

    /// Drops what is more than `slackBytes` over the limit.
    ///
    /// - Parameter cutsEnd: whether the end was cut before. If so it is cut again, because the new bytes do not
    ///   directly follow the kept ones.
    /// - Returns: a lower bound for the bytes cut off the end, because bytes appended in the instant before the cut are
    ///   not counted; 0 if the bytes were dropped from the middle.
    func dropExcess(_ descriptor: Int32, slackBytes: Int64, cutsEnd: Bool) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return 0 }
        let (gap, byteCount) = (gap, Int64(status.st_size))
        let cut = OutputFile.cut(behind: gap)
        guard byteCount > (cutsEnd ? cut : OutputFile.most(behind: gap)) + slackBytes else { return 0 }
        if !cutsEnd {
            switch widenGap(from: gap, to: byteCount - OutputFile.endBytes, descriptor) {
            case .done: return 0
            case .notNoted where byteCount <= cut + OutputFile.patienceBytes && slackBytes > 0: return 0
            case .notNoted, .notPossible: break
            }
        }
        return ftruncate(descriptor, off_t(cut)) == 0 ? byteCount - cut : 0
    }

    private enum Widening { case done, notNoted, notPossible }

    /// The gap is recorded before it is made, so that the hole is never read as output.
    private func widenGap(from gap: OutputGap?, to endByte: Int64, _ descriptor: Int32) -> Widening {
        let wider = OutputGap(fromByte: gap?.fromByte ?? AgentLimits.outputHeadBytes, endByte: endByte)
        guard (try? folder.writeJSON(OutputFile.gapName, wider)) != nil else { return .notNoted }
        if clinux_punch_hole(descriptor, off_t(wider.fromByte), off_t(endByte - wider.fromByte)) == 0 { return .done }
        if let gap {
            try? folder.writeJSON(OutputFile.gapName, gap)
        } else {
            folder.subfolder(OutputFile.gapName).discard()
        }
        return .notPossible
    }

    // MARK: Reading

    /// A piece of the kept output; empty at the end.
    struct Slice: Hashable, Sendable {
        /// Later than requested if there is a gap before it.
        var fromByte: Int64
        var bytes: [UInt8]
    }

    /// - Parameter fromByte: where the slice begins. If it is in a gap, the slice begins after the gap.
    func slice(fromByte: Int64, limitBytes: Int) throws(Refusal) -> Slice {
        while true {
            let gap = gap
            var (start, end) = (fromByte, end(behind: gap))
            if let gap {
                if start < gap.fromByte { end = min(end, gap.fromByte) }
                if gap.fromByte..<gap.endByte ~= start { start = gap.endByte }
            }
            let count = min(Int64(limitBytes), end - start)
            guard count > 0 else { return Slice(fromByte: start, bytes: []) }
            let bytes = try disk.slice(of: path, fromByte: start, limitBytes: Int(count))
            // A hole is recorded before it is made, so bytes read before that are what was written.
            if gap == self.gap { return Slice(fromByte: start, bytes: bytes) }
        }
    }

    /// Everything that is kept, in one or two pieces.
    private func pieces() throws(Refusal) -> [Slice] {
        var pieces = [try slice(fromByte: 0, limitBytes: Int(ProtocolLimits.operationOutputBytes))]
        if let gap { pieces.append(try slice(fromByte: gap.endByte, limitBytes: Int(OutputFile.endBytes))) }
        return pieces
    }

    // MARK: The end

    /// The file next to the output that holds output whose secrets could not be masked. It is never shown.
    static let withheldName = "output.withheld"

    /// Masks secrets in the output, after the last write. If that is not possible, none of it is shown, and it stays on
    /// the host only.
    ///
    /// - Parameters:
    ///   - files: the files with the secrets; they may be missing.
    ///   - known: their values from before the operation; nil if they were not read.
    ///   - isCut: whether the end was cut off; nil if that is no longer known.
    func mask(secretsIn files: [String], known: HostSecrets.Values?, isCut: Bool?) {
        let now = HostSecrets.Values(in: files)
        let byteCount = disk.byteCount(of: path)
        let isCut = isCut ?? (byteCount >= OutputFile.cut(behind: gap)) || byteCount > OutputFile.most(behind: gap)
        do throws(Refusal) {
            let pieces = try pieces()
            // A file that can no longer be read is not a problem if its values were read before.
            if let failure = now.failure, known.map({ $0.failure != nil }) ?? true {
                let kept = folder.path(of: OutputFile.withheldName)
                try disk.replace(kept, pieces.map { ($0.fromByte, $0.bytes) }, mode: .private)
                let words = "lockflight: the output is withheld, and kept in \(kept) on the host: \(failure.detail)\n"
                return try disk.replace(path, Array(words.utf8), mode: .private)
            }
            let redactor = Redactor(now.lines + (known?.lines ?? []))
            guard pieces.count == 2 else {
                let masked = redactor.redacted(pieces[0].bytes, isCut: isCut)
                if masked != pieces[0].bytes { try disk.replace(path, masked, mode: .private) }
                return
            }
            // A secret may be cut in two at the gap. Masked text is never longer, so the gap only widens.
            let head = redactor.redacted(pieces[0].bytes, isCut: true)
            let end = redactor.redacted(pieces[1].bytes, isCut: isCut, beginsCut: true)
            let from = pieces[1].fromByte + Int64(redactor.longestBytes)
            try folder.writeJSON(OutputFile.gapName, OutputGap(fromByte: Int64(head.count), endByte: from))
            try disk.replace(path, [(0, head), (from, end)], mode: .private)
        } catch {
            disk.discard(path)
        }
    }

    /// If the end was cut off, says so in the last line.
    func noteCut() {
        guard let descriptor = try? openForAppending() else { return }
        defer { close(descriptor) }
        _ = writeAll(descriptor, Array(OutputFile.cutNote.utf8))
    }

    /// Fills in a record's fields about the output. `cutBytes`, which were cut off its end, count in its length, not in
    /// its digest.
    func describe(in record: inout OperationRecord, cutBytes: Int64 = 0) {
        let end = endByte
        let tail = try? slice(
            fromByte: max(0, end - Int64(OperationRecord.maximumTailBytes)),
            limitBytes: OperationRecord.maximumTailBytes)
        record.outputBytes = end + cutBytes
        record.outputDigest =
            gap == nil
            ? disk.digest(of: path, limitBytes: ProtocolLimits.operationOutputBytes)
            : (try? pieces()).map { Digest.sha256(of: Array($0.map(\.bytes).joined())) }
        record.outputTail = String(decoding: tail?.bytes ?? [], as: UTF8.self)
    }
}
