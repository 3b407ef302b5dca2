import AgentProtocol

/// A stream of lines, read as requests and as replies.
enum FrameProperties {
    static func check(_ input: [UInt8]) {
        for line in lines(of: input) {
            guard case .success(let bytes) = line else { continue }
            checkRoundTrip(RequestFrame.self, bytes)
            checkRoundTrip(ReplyFrame.self, bytes)
        }
    }

    /// The lines do not depend on how the stream is split into pieces, and none is longer than the limit.
    private static func lines(of input: [UInt8]) -> [Result<[UInt8], LineError>] {
        var whole = LineSplitter()
        let lines = whole.receive(input + [0x0a])
        var pieces = LineSplitter()
        let pieceBytes = input.count % 13 + 1
        var cut: [Result<[UInt8], LineError>] = []
        for start in stride(from: 0, to: input.count, by: pieceBytes) {
            cut += pieces.receive(input[start..<min(start + pieceBytes, input.count)])
        }
        cut += pieces.receive([0x0a])
        require(cut == lines, "pieces of \(pieceBytes) bytes give different lines")
        for case .success(let line) in lines {
            require(line.count < ProtocolLimits.lineBytes && !line.contains(0x0a), "a line of \(line.count) bytes")
        }
        return lines
    }

    /// A frame that was read can be written within the limits, and reads the same again.
    private static func checkRoundTrip<Frame: Codable & Equatable>(_ type: Frame.Type, _ line: [UInt8]) {
        guard let frame = try? LineCodec.decode(type, from: line) else { return }
        do throws(LineError) {
            let written = try LineCodec.encode(frame)
            require(written.last == 0x0a && !written.dropLast().contains(0x0a), "a frame is not one line")
            let again = try LineCodec.decode(type, from: Array(written.dropLast()))
            require(again == frame, "\(frame) came back as \(again)")
        } catch {
            // A line just below the limit can be longer in our own encoding; nothing else can go wrong.
            if case .tooLong = error, line.count > ProtocolLimits.lineBytes / 6 { return }
            require(false, "\(frame) can not be sent again: \(error)")
        }
    }
}
