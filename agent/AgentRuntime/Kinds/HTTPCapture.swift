import AgentProtocol
import Glibc
import NIOCore
import NIOHTTP1
import UpgradeDomain

/// The answer of an HTTP server, or why there is none.
struct HTTPAnswer: Sendable {
    var status: Int?
    /// The first bytes of the body.
    var body: [UInt8] = []
    var isTruncated = false
    /// The values of three headers, in the order they came.
    var contentTypes: [String] = []
    var contentEncodings: [String] = []
    var locations: [String] = []
    /// How long a 429 asks to wait.
    var retryAfterSeconds: Int?
    var failure: UnknownReason?

    /// Reads a Retry-After in seconds; a date is ignored.
    static func seconds(_ text: String) -> Int? { Int(text).map { min(max($0, 0), AgentLimits.surfaceTimeoutSeconds) } }

    var contentType: String? { contentTypes.first }

    /// Why an answer that arrived cannot be the expected one.
    func misfit(accepting statuses: [Int]) -> UnknownReason? {
        guard let status else { return nil }
        if (300..<400).contains(status), !statuses.contains(status), let place = locations.first {
            return UnknownReason(
                .unacceptedStatus, "answered \(status), a redirect to \(place), and redirects are not followed")
        }
        if let encoding = contentEncodings.first(where: { !["", "identity"].contains($0.lowercasedASCII) }) {
            return UnknownReason(
                .wrongContentType,
                "the answer is compressed (Content-Encoding: \(encoding)), although that was not requested")
        }
        guard Set(contentTypes).count <= 1 else {
            return UnknownReason(
                .wrongContentType, "the answer has several types: \(contentTypes.joined(separator: " and "))")
        }
        return nil
    }

    /// What may leave the host: with secrets masked, and no larger than the limit.
    func masked(by redactor: Redactor, accepting statuses: [Int]) -> HTTPAnswer {
        var masked = self
        let body = redactor.redacted(body, isCut: isTruncated)
        masked.body = Array(body.prefix(ProtocolLimits.surfaceBytes))
        masked.isTruncated = isTruncated || body.count > ProtocolLimits.surfaceBytes
        masked.contentTypes = contentTypes.map(redactor.redacted)
        masked.failure = (failure ?? misfit(accepting: statuses)).map { reason in
            UnknownReason(
                reason.code, String(redactor.redacted(reason.detail).prefix(AgentLimits.detailCharacters)))
        }
        return masked
    }

    static func failed(_ code: UnknownReason.Code, _ detail: String) -> HTTPAnswer {
        HTTPAnswer(failure: UnknownReason(code, detail))
    }
}

/// One GET from the host itself, retried only if a 429 asks for it. A redirect is returned as the answer, not followed.
enum HTTPCapture {
    static func answer(_ source: HTTPSource, _ setting: CaptureSetting) -> SurfaceAnswer {
        let answer = run(
            source, workingDirectory: setting.workingDirectory, hiding: setting.secrets.lines,
            isWanted: setting.isWanted)
        return SurfaceAnswer(
            resultCode: answer.status, body: answer.body, isTruncated: answer.isTruncated,
            contentType: answer.contentType, failure: answer.failure)
    }

    /// Gets an answer within the source's timeout, from the first attempt's connect to the body's last byte.
    static func run(
        _ source: HTTPSource, workingDirectory: String, hiding others: [[UInt8]] = [], isWanted: () -> Bool
    ) -> HTTPAnswer {
        let secrets: HostSecrets
        do throws(UnknownReason) {
            secrets = try HostSecrets(source.secretHeaders, others: others)
        } catch {
            return HTTPAnswer(failure: error)
        }
        var attempt = source
        attempt.headers.merge(secrets.headers) { _, secret in secret }
        let deadline = Deadline(after: .seconds(source.timeoutSeconds))
        var retries = 0
        while true {
            let answer = once(
                attempt, workingDirectory: workingDirectory, more: secrets.redactor.longestBytes, isWanted: isWanted)
            let pause = answer.retryAfterSeconds ?? AgentLimits.limitedPauseSeconds << min(retries, 8)
            let left = deadline.remainingWholeSeconds - pause
            guard answer.status == 429, retries < source.retriesWhenLimited, left >= 1,
                wait(seconds: pause, isWanted: isWanted)
            else {
                return answer.masked(by: secrets.redactor, accepting: source.acceptedStatuses)
            }
            retries += 1
            attempt.timeoutSeconds = left
        }
    }

    private static func wait(seconds: Int, isWanted: () -> Bool) -> Bool {
        let deadline = Deadline(after: .seconds(seconds))
        while !deadline.hasPassed {
            guard isWanted() else { return false }
            pauseBeforeNextLook()
        }
        return true
    }

    /// - Parameter more: how many extra bytes to read beyond those that are kept, because a secret may cross the cut.
    private static func once(
        _ source: HTTPSource, workingDirectory: String, more: Int, isWanted: () -> Bool
    ) -> HTTPAnswer {
        let limit = ProtocolLimits.surfaceBytes + more
        let target: HTTPTarget
        do {
            target = try HTTPTarget(url: source.url)
        } catch {
            return .failed(.notRun, "'\(source.url)' is not the URL of an HTTP service: it \(error.words)")
        }
        switch target.route {
        case .address(let address, let port):
            return get(source, target, address: address, port: port, limitBytes: limit)
        case .curl:
            return CurlCapture.run(
                source, workingDirectory: workingDirectory, limitBytes: limit, isWanted: isWanted)
        }
    }

    private static func get(
        _ source: HTTPSource, _ target: HTTPTarget, address: String, port: Int, limitBytes: Int
    ) -> HTTPAnswer {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target.path)
        head.headers.add(name: "Host", value: target.authority)
        head.headers.add(name: "Accept", value: "*/*")
        head.headers.add(name: "Accept-Encoding", value: "identity")
        head.headers.add(name: "Connection", value: "close")
        for (name, value) in source.headers { head.headers.replaceOrAdd(name: name, value: value) }
        let request = head
        return OneConnection.answer(
            from: address, port: port, withinSeconds: source.timeoutSeconds,
            late: .failed(.timedOut, "no complete answer within \(source.timeoutSeconds) s"),
            failed: { HTTPAnswer(failure: $0) },
            prepare: { channel, answer in
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(
                    HTTPAnswerHandler(request: request, limitBytes: limitBytes, answer: answer))
            })
    }
}

/// Sends one request when connected and collects the answer.
private final class HTTPAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let request: HTTPRequestHead
    private let limitBytes: Int
    private let answer: EventLoopPromise<HTTPAnswer>
    private var partial = HTTPAnswer()

    init(request: HTTPRequestHead, limitBytes: Int, answer: EventLoopPromise<HTTPAnswer>) {
        self.request = request
        self.limitBytes = limitBytes
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // 1xx responses are informational; the answer follows.
            guard head.status.code >= 200 else { break }
            partial.status = Int(head.status.code)
            partial.contentTypes = head.headers["Content-Type"]
            partial.contentEncodings = head.headers["Content-Encoding"]
            partial.locations = head.headers["Location"]
            partial.retryAfterSeconds = head.headers.first(name: "Retry-After").flatMap(HTTPAnswer.seconds)
        case .body(let buffer):
            let room = limitBytes - partial.body.count
            partial.body += buffer.readableBytesView.prefix(room)
            if buffer.readableBytes > room {
                partial.isTruncated = true
                answer.succeed(partial)
            }
        case .end:
            if partial.status != nil { answer.succeed(partial) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.succeed(.failed(.unreachable, "the answer is not HTTP or was cut off: \(error)"))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.succeed(.failed(.unreachable, "the connection was closed before the answer was complete"))
    }
}

/// The target of an HTTP surface.
struct HTTPTarget: Hashable, Sendable {
    enum Route: Hashable, Sendable {
        /// Plain HTTP to an address: the agent sends the request itself.
        case address(String, port: Int)
        /// TLS, or a name to resolve: uses the host's own curl, which has the host's trust store and resolver.
        case curl
    }
    var route: Route
    /// The authority as written, for the Host header.
    var authority: String
    /// Path and query.
    var path: String

    /// Reads an absolute `http` or `https` URL.
    init(url: String) throws(ServiceURL.Fault) {
        let url = try ServiceURL(url)
        (authority, path) = (url.authority, url.path)
        route = .curl
        if url.scheme == "http", let address = HTTPTarget.address(url.host) {
            route = .address(address, port: url.port ?? 80)
        }
    }

    /// The address that a host names without a lookup: a static executable has no resolver (no NSS).
    private static func address(_ host: String) -> String? {
        if host.lowercased() == "localhost" { return "127.0.0.1" }
        var address = [UInt8](repeating: 0, count: 16)
        let isAddress = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
        return isAddress ? host : nil
    }
}
