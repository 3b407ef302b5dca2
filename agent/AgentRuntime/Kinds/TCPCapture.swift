import AgentProtocol
import NIOCore
import SafeText
import UpgradeDomain

/// Whether a TCP port accepts, and what its service sends first.
struct TCPAnswer: Sendable {
    /// 0 if it is as asked for, 1 if it begins with something else; nil where there is no answer.
    var resultCode: Int?
    /// The first line that the service sent, without its end; empty if no banner was asked for.
    var line: [UInt8] = []
    var failure: UnknownReason?

    static func failed(_ code: UnknownReason.Code, _ detail: String) -> TCPAnswer {
        TCPAnswer(failure: UnknownReason(code, detail))
    }
}

/// One connection from the host itself. Nothing is sent.
enum TCPCapture {
    /// The longest banner that can be asked for, and the longest line that is read.
    static let bannerBytes = 512

    static func answer(_ source: TCPSource, _ setting: CaptureSetting) -> SurfaceAnswer {
        let answer = run(source)
        return SurfaceAnswer(
            resultCode: answer.resultCode,
            body: Redactor(setting.secrets.lines).redacted(answer.line, isCut: false), failure: answer.failure)
    }

    private static func run(_ source: TCPSource) -> TCPAnswer {
        let place = source.place
        let missing = source.banner == nil ? "did not accept" : "sent no banner"
        let banner = source.banner.map { Array($0.utf8) }
        return OneConnection.answer(
            from: source.address, port: source.port, withinSeconds: source.timeoutSeconds,
            late: .failed(.timedOut, "\(place) \(missing) within \(source.timeoutSeconds) s"),
            failed: { TCPAnswer(failure: $0) },
            prepare: { channel, answer in
                try channel.pipeline.syncOperations.addHandler(BannerHandler(banner, place, answer: answer))
            })
    }
}

extension TCPSource {
    /// In messages.
    var place: String { "\(address) port \(port)" }
}

extension RequestCheck {
    static func check(_ tcp: TCPSource) throws(Refusal) {
        guard (1...65_535).contains(tcp.port) else { throw Refusal(.malformed, "\(tcp.port) is not a port") }
        guard (tcp.banner?.utf8.count ?? 0) <= TCPCapture.bannerBytes else {
            throw Refusal(.limitExceeded, "the banner is longer than \(TCPCapture.bannerBytes) bytes")
        }
        guard tcp.tls == nil || tcp.banner == nil else { throw Refusal(.malformed, "a banner and TLS") }
    }
}

/// Reads what a service sends first, as far as that is asked for.
private final class BannerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private static let patience = TimeAmount.milliseconds(200)

    private let banner: [UInt8]?
    private let place: String
    private let answer: EventLoopPromise<TCPAnswer>
    private var received: [UInt8] = []

    init(_ banner: [UInt8]?, _ place: String, answer: EventLoopPromise<TCPAnswer>) {
        self.banner = banner
        self.place = place
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        if banner == nil { answer.succeed(TCPAnswer(resultCode: 0)) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytesView.prefix(TCPCapture.bannerBytes - received.count)
        if received.contains(0x0a) || received.count == TCPCapture.bannerBytes {
            conclude()
        } else if let banner, received.count >= banner.count || !banner.starts(with: received) {
            // It is decided, though some services send no end of line: what follows at once still belongs to it.
            context.eventLoop.assumeIsolated().scheduleTask(in: BannerHandler.patience) { self.conclude() }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if received.isEmpty {
            answer.succeed(.failed(.unreachable, "\(place) closed the connection and sent nothing"))
        } else {
            conclude()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.succeed(.failed(.unreachable, "\(place): \(error)"))
        context.close(promise: nil)
    }

    private func conclude() {
        let line = received.prefix { $0 != 0x0a && $0 != 0x0d }
        answer.succeed(TCPAnswer(resultCode: line.starts(with: banner ?? []) ? 0 : 1, line: Array(line)))
    }
}
