import AgentProtocol
import Glibc
import UpgradeDomain

/// The output of an operation: a file that the script writes itself, so that nobody's death can hold it up.
///
/// Writers append; what passes `ProtocolLimits.operationOutputBytes` is cut off the end and counted.
struct OutputFile: Sendable {
    static let name = "output"
    let path: String
    let disk: any Disk

    init(in folder: Folder) {
        path = folder.path(of: OutputFile.name)
        disk = folder.disk
    }

    /// The bytes kept so far.
    var keptBytes: Int64 { min(disk.byteCount(of: path), ProtocolLimits.operationOutputBytes) }

    /// Opens the file for a script to append to.
    func openForAppending() throws(Refusal) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Refusal.system(errno, "open \(path)") }
        return descriptor
    }

    /// Cuts what is more than `slackBytes` over the limit.
    ///
    /// - Returns: the bytes dropped, at least: what is appended in the instant before the cut is not counted.
    func dropExcess(_ descriptor: Int32, slackBytes: Int64) -> Int64 {
        var status = stat()
        let limit = ProtocolLimits.operationOutputBytes
        guard fstat(descriptor, &status) == 0, Int64(status.st_size) > limit + slackBytes,
            ftruncate(descriptor, off_t(limit)) == 0
        else { return 0 }
        return Int64(status.st_size) - limit
    }

    /// A slice of what is kept, empty at its end.
    func slice(fromByte: Int64, limitBytes: Int) throws(Refusal) -> [UInt8] {
        let count = min(Int64(limitBytes), ProtocolLimits.operationOutputBytes - fromByte)
        guard count > 0 else { return [] }
        return try disk.slice(of: path, fromByte: fromByte, limitBytes: Int(count))
    }

    /// What is told to nobody, as its secrets could not be masked: the file beside it that keeps it.
    static let withheldName = "output.withheld"

    /// Masks secrets in what was written, once nothing more is to be written. Where that can not be done, nothing of it is told, and
    /// the host alone keeps it.
    ///
    /// - Parameters:
    ///   - files: hold them, where they are there.
    ///   - known: what stood in the files before; nil where nobody has looked.
    func mask(secretsIn files: [String], known: HostSecrets.Values?, isCut: Bool) {
        let now = HostSecrets.Values(in: files)
        do throws(Refusal) {
            let output = try slice(fromByte: 0, limitBytes: Int(ProtocolLimits.operationOutputBytes))
            // What can not be read any more is known where it could be read before.
            if let failure = now.failure, known.map({ $0.failure != nil }) ?? true {
                let kept = Folder(path: path).parent.path(of: OutputFile.withheldName)
                try disk.replace(kept, output, mode: .private)
                let words = "lockflight: the output is withheld, and kept in \(kept) on the host: \(failure.detail)\n"
                return try disk.replace(path, Array(words.utf8), mode: .private)
            }
            let masked = Redactor(now.lines + (known?.lines ?? [])).redacted(output, isCut: isCut)
            if masked != output { try disk.replace(path, masked, mode: .private) }
        } catch {
            disk.discard(path)
        }
    }

    /// Fills in what a record says about the output. `droppedBytes` counts in its length, not in its digest.
    func describe(in record: inout OperationRecord, droppedBytes: Int64 = 0) {
        let kept = keptBytes
        let tailStart = max(0, kept - Int64(OperationRecord.maximumTailBytes))
        let tail = (try? slice(fromByte: tailStart, limitBytes: OperationRecord.maximumTailBytes)) ?? []
        record.outputBytes = kept + droppedBytes
        record.outputDigest = disk.digest(of: path, limitBytes: ProtocolLimits.operationOutputBytes)
        record.outputTail = String(decoding: tail, as: UTF8.self)
    }
}
