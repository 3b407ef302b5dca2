import AgentProtocol
import CLinux
import ContentDigest
import Glibc
import UpgradeDomain

/// What was dropped from the middle of an output: it is in the file as a hole, or about to become one.
struct OutputGap: Codable, Hashable, Sendable {
    var fromByte: Int64
    /// The first byte that is kept again.
    var endByte: Int64
}

/// The output of an operation: a file that the script writes itself, so that nobody's death can hold it up.
///
/// Writers append. Of more than `ProtocolLimits.operationOutputBytes` the first ``AgentLimits/outputHeadBytes`` are kept and the last of
/// the rest, as errors stand at the end; offsets stay what they were. Where the file system can make no hole in a file, the end is cut
/// off and counted.
struct OutputFile: Sendable {
    static let name = "output"
    private static let gapName = "output.gap"
    private let folder: Folder
    var path: String { folder.path(of: OutputFile.name) }
    private var disk: any Disk { folder.disk }

    init(in folder: Folder) { self.folder = folder }

    /// What follows the gap, at most.
    private static let endBytes = ProtocolLimits.operationOutputBytes - AgentLimits.outputHeadBytes
    private static let cutNote =
        "\nlockflight: the end of the output was cut off, as its middle could not be dropped on this file system\n"
    /// How much more is left where a gap could not be noted, as on a full disk, before the end is cut off after all.
    private static let patienceBytes: Int64 = 8 * 1_048_576

    private var gap: OutputGap? { try? folder.value(OutputGap.self, of: OutputFile.gapName) }

    /// Where the output ends; what is written past it is about to be dropped, or to move it.
    var endByte: Int64 { end(behind: gap) }

    private func end(behind gap: OutputGap?) -> Int64 {
        let byteCount = disk.byteCount(of: path)
        let most = OutputFile.most(behind: gap)
        // Where it is about to be cut off, what is behind that is not sent.
        return byteCount > most && gap == nil ? OutputFile.cut(behind: gap) : min(byteCount, most)
    }

    private static func most(behind gap: OutputGap?) -> Int64 {
        gap.map { $0.endByte + endBytes } ?? ProtocolLimits.operationOutputBytes
    }

    /// Where the end is cut off, so that the note has room.
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
    /// - Parameter cutsEnd: whether the end was cut before; then it is again, as what is there now did not follow what was kept.
    /// - Returns: the bytes cut off the end, at least, as what is appended in the instant before the cut is not counted; 0 where what was
    ///   dropped stood before what is kept.
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

    /// The gap is on record before it is made, so that nobody takes the hole for output.
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

    /// A piece of what is kept; without bytes at its end.
    struct Slice: Hashable, Sendable {
        /// Later than was asked for where a gap is before it.
        var fromByte: Int64
        var bytes: [UInt8]
    }

    /// - Parameter fromByte: where it begins, or in a gap, behind which it begins then.
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
            // A hole is on record before it is made: what was read before that is what was written.
            if gap == self.gap { return Slice(fromByte: start, bytes: bytes) }
        }
    }

    /// All that is kept, in one or two pieces.
    private func pieces() throws(Refusal) -> [Slice] {
        var pieces = [try slice(fromByte: 0, limitBytes: Int(ProtocolLimits.operationOutputBytes))]
        if let gap { pieces.append(try slice(fromByte: gap.endByte, limitBytes: Int(OutputFile.endBytes))) }
        return pieces
    }

    // MARK: The end

    /// What nobody is shown, as its secrets could not be masked: the file beside it that keeps it.
    static let withheldName = "output.withheld"

    /// Masks secrets in what was written, once nothing more is to be written. Where that can not be done, nothing of it is shown, and
    /// the host alone keeps it.
    ///
    /// - Parameters:
    ///   - files: hold them, where they are there.
    ///   - known: what stood in the files before; nil where nobody has looked.
    ///   - isCut: whether the end was cut off; nil where nobody knows any more.
    func mask(secretsIn files: [String], known: HostSecrets.Values?, isCut: Bool?) {
        let now = HostSecrets.Values(in: files)
        let byteCount = disk.byteCount(of: path)
        let isCut = isCut ?? (byteCount >= OutputFile.cut(behind: gap)) || byteCount > OutputFile.most(behind: gap)
        do throws(Refusal) {
            let pieces = try pieces()
            // What can not be read any more is known where it could be read before.
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
            // At the gap a secret may be cut in two. What is masked is no longer than it was, so the gap only widens.
            let head = redactor.redacted(pieces[0].bytes, isCut: true)
            let end = redactor.redacted(pieces[1].bytes, isCut: isCut, beginsCut: true)
            let from = pieces[1].fromByte + Int64(redactor.longestBytes)
            try folder.writeJSON(OutputFile.gapName, OutputGap(fromByte: Int64(head.count), endByte: from))
            try disk.replace(path, [(0, head), (from, end)], mode: .private)
        } catch {
            disk.discard(path)
        }
    }

    /// Says so in the last line where the end was cut off.
    func noteCut() {
        guard let descriptor = try? openForAppending() else { return }
        defer { close(descriptor) }
        _ = writeAll(descriptor, Array(OutputFile.cutNote.utf8))
    }

    /// Fills in what a record says about the output. `cutBytes`, cut off its end, count in its length, not in its digest.
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
