import AgentProtocol
import ContentDigest
import RolloutEngine
import UpgradeDomain

/// Turns an agent's raw answers into typed readings.
enum EvidenceAssembly {
    /// One reading per surface asked for; a surface without an answer is unknown, never left out.
    static func reading(
        _ order: SurfaceOrder, _ reply: SurfaceReply?, rawDigest: Digest?
    ) -> SurfaceReading {
        guard let reply else {
            return SurfaceReading(
                name: order.surface.name, role: order.role, durationMilliseconds: 0,
                unknown: UnknownReason(.notRun, "the agent gave no answer for it"))
        }
        var reading = SurfaceReading(
            name: order.surface.name, role: order.role, durationMilliseconds: reply.durationMilliseconds,
            resultCode: reply.resultCode, rawDigest: rawDigest, instrumentDigest: reply.instrumentDigest)
        guard reply.failure == nil, let resultCode = reply.resultCode else {
            reading.unknown = reply.failure ?? UnknownReason(.notRun, "there is no result")
            return reading
        }
        let text = String(decoding: reply.body.elements, as: UTF8.self)
        let answer = RawAnswer(
            resultCode: resultCode, document: document(reply.body.elements, order.surface.reader.format), text: text,
            truncated: reply.truncated, contentType: reply.contentType, hostTime: reply.hostTime)
        switch order.surface.reader.read(answer, acceptedCodes: order.acceptedCodes) {
        case .success(let items): reading.items = items
        case .failure(let failure): reading.unknown = failure.reason
        }
        return reading
    }

    /// nil where a body is no JSON, or says something twice: nobody knows which of the two counts.
    static func document(_ bytes: [UInt8], _ format: BodyFormat) -> JSONValue? {
        // Some servers begin with a byte order mark, which a reader may skip (RFC 8259, 8.1).
        let bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
        let whole = try? CanonicalJSON.decode(JSONValue.self, from: bytes)
        switch (format, whole) {
        case (.json, _), (.jsonLines, .array?): return whole
        case (.jsonLines, _):
            let lines = bytes.split(separator: UInt8(ascii: "\n")).filter { $0.contains { $0 > 0x20 } }
            var elements: [JSONValue] = []
            for line in lines {
                guard let element = try? CanonicalJSON.decode(JSONValue.self, from: Array(line)) else { return nil }
                elements.append(element)
            }
            return .array(elements)
        }
    }
}
