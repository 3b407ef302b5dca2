import AgentProtocol
import ContentDigest
import RolloutEngine
import UpgradeDomain

/// Turns an agent's raw answers into typed readings.
enum EvidenceAssembly {
    /// One reading per requested surface; a surface without an answer is unknown, never left out.
    static func reading(
        _ order: SurfaceOrder, _ reply: SurfaceReply?, rawDigest: Digest?
    ) -> SurfaceReading {
        guard let reply else {
            return SurfaceReading(
                name: order.surface.name, role: order.role, durationMilliseconds: 0,
                unknown: UnknownReason(.notRun, "the agent gave no answer for it"))
        }
        var reading = answer(order, reply, rawDigest)
        reading.printed = printed(reading, order, reply)
        return reading
    }

    private static func answer(_ order: SurfaceOrder, _ reply: SurfaceReply, _ rawDigest: Digest?) -> SurfaceReading {
        var reading = SurfaceReading(
            name: order.surface.name, role: order.role, durationMilliseconds: reply.durationMilliseconds,
            resultCode: reply.resultCode, rawDigest: rawDigest, instrumentDigest: reply.instrumentDigest)
        let reader = order.surface.reader
        // The content of a body does not matter if the reader ignores it.
        let isBodyRead = reader.shape != .result
        let failure = reply.failure.flatMap { reason in
            isBodyRead || ![.wrongContentType, .unacceptedStatus].contains(reason.code) ? reason : nil
        }
        guard failure == nil, let resultCode = reply.resultCode else {
            reading.unknown = failure ?? UnknownReason(.notRun, "there is no result")
            return reading
        }
        let answer = RawAnswer(
            resultCode: resultCode, isOfCommand: order.surface.source.isCommand,
            document: document(reply.body.elements, reader.format),
            text: String(decoding: reply.body.elements, as: UTF8.self), truncated: reply.truncated,
            contentType: reply.contentType, hostTime: reply.hostTime)
        switch reader.read(answer, acceptedCodes: order.acceptedCodes) {
        case .success(let items): reading.items = items.map(kept)
        case .failure(let failure): reading.unknown = failure.reason
        }
        return reading
    }

    /// The last lines of a command whose answer is not healthy: standard output first, then standard error.
    private static func printed(
        _ reading: SurfaceReading, _ order: SurfaceOrder, _ reply: SurfaceReply
    ) -> [String]? {
        guard order.surface.source.isCommand,
            reading.unknown != nil || reading.items.contains(where: { $0.health != .healthy })
        else { return nil }
        // Only the beginning of a truncated output is available.
        let lines = [reply.truncated ? [] : reply.body.elements, reply.errors?.elements ?? []].flatMap { bytes in
            let end = bytes.suffix(ProtocolLimits.surfaceErrorBytes)
            return OperationRecord.lastLines(
                of: String(decoding: end, as: UTF8.self), beginsCut: end.count == ProtocolLimits.surfaceErrorBytes)
        }
        return lines.isEmpty ? nil : lines
    }

    /// The maximum length of an item's name and value, in Unicode scalars.
    static let maximumTextScalars = 200

    /// An item as it is stored: longer texts are cut and end with the digest of the whole text, so that texts that
    /// differ only after the cut still differ.
    private static func kept(_ item: EvidenceItem) -> EvidenceItem {
        EvidenceItem(key: kept(item.key), value: kept(item.value), health: item.health)
    }

    private static func kept(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard scalars.dropFirst(maximumTextScalars).first != nil else { return text }
        let start = String(String.UnicodeScalarView(scalars.prefix(maximumTextScalars)))
        let bytes = text.utf8.count
        return "\(start)... (\(bytes) bytes, sha256 \(Digest.sha256(of: Array(text.utf8)).short))"
    }

    /// The document in a body, or why it is not valid. Duplicate keys are not valid, as it is ambiguous which one
    /// counts.
    static func document(_ bytes: [UInt8], _ format: BodyFormat) -> Result<Answer, UnknownReason> {
        // Some servers begin with a byte order mark, which a reader may skip (RFC 8259, 8.1).
        let bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
        if format == .keyValues { return KeyValueLines.document(in: bytes) }
        guard bytes.contains(where: { $0 > 0x20 }) else {
            // No lines are an empty list.
            return format == .json ? .failure(UnknownReason(.unparsable, "the answer is empty")) : .success(.array([]))
        }
        let failure: JSONError
        do {
            let whole = try CanonicalJSON.answer(from: bytes)
            if format == .json { return .success(whole) }
            if case .array = whole { return .success(whole) }
            // One line is also a document.
            return .success(.array([whole]))
        } catch {
            failure = error
        }
        return format == .json ? .failure(unparsable(failure)) : lines(bytes)
    }

    private static func lines(_ bytes: [UInt8]) -> Result<Answer, UnknownReason> {
        var elements: [Answer] = []
        for (index, line) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated()
        where line.contains(where: { $0 > 0x20 }) {
            do {
                elements.append(try CanonicalJSON.answer(from: Array(line)))
            } catch {
                return .failure(unparsable(error, in: "line \(index + 1) of the answer"))
            }
        }
        return .success(.array(elements))
    }

    private static func unparsable(_ error: JSONError, in what: String = "the answer") -> UnknownReason {
        UnknownReason(.unparsable, "\(what) is \(error)")
    }
}
