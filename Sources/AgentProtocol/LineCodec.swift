package import ContentDigest
import FoundationEssentials

/// Raw bytes, encoded as base64.
package struct Bytes: Hashable, Sendable, Codable {
    package var elements: [UInt8]

    package init(_ elements: [UInt8]) { self.elements = elements }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let data = Data(base64Encoded: text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not base64"))
        }
        elements = [UInt8](data)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(elements).base64EncodedString())
    }
}

/// Why a line could not be used.
package enum LineError: Error, Hashable, Sendable {
    case tooLong(limitBytes: Int)
    case tooDeep(limit: Int)
    case malformed(String)
}

/// Splits a byte stream into lines, holding at most one line of ``ProtocolLimits/lineBytes``.
package struct LineSplitter: Sendable {
    private var pending: [UInt8] = []
    private var isSkipping = false

    package init() {}

    /// Takes received bytes and returns the lines they complete, without their newlines. A line that is too long is
    /// reported once, when it exceeds the limit, and skipped to its end. Later lines are not affected.
    package mutating func receive(_ bytes: some Sequence<UInt8>) -> [Result<[UInt8], LineError>] {
        var lines: [Result<[UInt8], LineError>] = []
        var rest = [UInt8](bytes)[...]
        while let end = rest.firstIndex(of: 0x0a) {
            take(rest[..<end], into: &lines)
            if !isSkipping { lines.append(.success(pending)) }
            isSkipping = false
            pending = []
            rest = rest[(end + 1)...]
        }
        take(rest, into: &lines)
        return lines
    }

    /// Adds a piece to the line, or reports that the line is too long.
    private mutating func take(_ piece: ArraySlice<UInt8>, into lines: inout [Result<[UInt8], LineError>]) {
        guard !isSkipping else { return }
        guard pending.count + piece.count < ProtocolLimits.lineBytes else {
            lines.append(.failure(.tooLong(limitBytes: ProtocolLimits.lineBytes)))
            isSkipping = true
            pending = []
            return
        }
        pending += piece
    }
}

/// One frame per line, as JSON with sorted keys and a final newline.
package enum LineCodec {
    /// - Throws: if the frame has no JSON form, or is longer than a line may be.
    package static func encode(_ frame: some Encodable) throws(LineError) -> [UInt8] {
        let line: [UInt8]
        do {
            line = try CanonicalJSON.encode(frame) + [0x0a]
        } catch {
            throw .malformed("\(error)")
        }
        guard line.count <= ProtocolLimits.lineBytes else { throw .tooLong(limitBytes: ProtocolLimits.lineBytes) }
        return line
    }

    /// - Parameter beyondRange: clamped for files that an agent itself wrote before ranges existed.
    package static func decode<Frame: Decodable>(
        _ type: Frame.Type, from line: [UInt8], beyondRange: CanonicalJSON.BeyondRange = .refused
    ) throws(LineError) -> Frame {
        guard line.count < ProtocolLimits.lineBytes else { throw .tooLong(limitBytes: ProtocolLimits.lineBytes) }
        do {
            return try CanonicalJSON.decode(
                type, from: line, nestingDepth: ProtocolLimits.nestingDepth, beyondRange: beyondRange)
        } catch let error as JSONError where error.code == .tooDeep {
            throw .tooDeep(limit: ProtocolLimits.nestingDepth)
        } catch {
            throw .malformed("\(error)")
        }
    }
}
