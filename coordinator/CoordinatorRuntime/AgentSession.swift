package import AgentProtocol
import ContentDigest
import RolloutEngine
import UpgradeDomain

/// One conversation with an agent: many requests at once over one channel, each with its own replies and deadline.
package actor AgentSession {
    /// How many replies may wait for their reader. A peer that sends more than was requested ends the session.
    static let bufferedReplies = 512

    /// The receiver of the replies to a request, and which replies may still come.
    private struct Waiting {
        let continuation: AsyncThrowingStream<AgentReply, any Error>.Continuation
        var expected: ExpectedReplies
    }

    private let channel: any AgentChannel
    private let clock: RuntimeClock
    private let executor: (any TaskExecutor)?
    private var nextID: UInt32 = 1
    private var waiting: [UInt32: Waiting] = [:]
    private var failure: ContactFailure?
    /// The negotiated protocol version; 1 until then.
    private(set) var protocolVersion = 1
    private var reader: Task<Void, Never>?

    /// - Parameters:
    ///   - channel: a connection over which nothing was sent yet.
    ///   - clock: the clock for timeouts.
    ///   - executor: the thread of the channel, if it has one.
    package init(channel: any AgentChannel, clock: RuntimeClock, executor: (any TaskExecutor)? = nil) {
        self.channel = channel
        self.clock = clock
        self.executor = executor
    }

    package var isOpen: Bool { failure == nil }

    /// Starts reading and agrees on a protocol version.
    package func open(_ hello: HelloRequest, timeout: Duration) async throws(ContactFailure) -> HelloReply {
        listen()
        return try await greet(hello, timeout: timeout)
    }

    private func listen() {
        let channel = channel
        reader = Task(executorPreference: executor) { [weak self] in
            var lines = LineSplitter()
            var noise = 0
            var isTalking = false
            do {
                while let bytes = try await channel.receive() {
                    for received in lines.receive(bytes) {
                        let line = try received.get()
                        if line.isEmpty { continue }
                        do {
                            let frame = try LineCodec.decode(ReplyFrame.self, from: line)
                            isTalking = true
                            guard await self?.deliver(frame) == true else { return }
                        } catch {
                            // Output of rc files is allowed before the first frame; after it, it is a violation.
                            noise += 1
                            let isMeant = isTalking || AgentSession.isFrame(line)
                            if isMeant || noise > ProtocolLimits.linesBeforeHello { throw error }
                        }
                    }
                }
                await self?.fail(ContactFailure(.hostUnreachable, "the agent closed the connection"))
            } catch let error as ContactFailure {
                await self?.fail(error)
            } catch {
                // Show only as much of the agent's own text as is needed to see what is wrong.
                let words = String(String.UnicodeScalarView("\(error)".unicodeScalars.prefix(500)))
                await self?.fail(ContactFailure(.agentUnusable, "the agent broke the protocol: \(words)"))
            }
        }
    }

    /// Sends hello: for the first time, or again with another identity.
    func greet(_ hello: HelloRequest, timeout: Duration) async throws(ContactFailure) -> HelloReply {
        let reply = try await single(.hello(hello), timeout: timeout)
        guard case .hello(let answer) = reply else { throw unexpected(reply, to: "hello") }
        guard ProtocolLimits.versions.contains(answer.protocolVersion) else {
            throw ContactFailure(
                .agentUnusable, "the agent chose protocol \(answer.protocolVersion), which was not offered")
        }
        protocolVersion = answer.protocolVersion
        return answer
    }

    /// One request with one reply; a refusal is thrown as ``AgentRefusal`` by the callers that expect it.
    package func single(_ request: AgentRequest, timeout: Duration) async throws(ContactFailure) -> AgentReply {
        do {
            for try await reply in try await replies(to: request, timeout: timeout) { return reply }
        } catch let error as ContactFailure {
            throw error
        } catch {
            throw ContactFailure(.hostUnreachable, "\(error)")
        }
        throw failure ?? ContactFailure(.hostUnreachable, "the agent gave no answer")
    }

    /// Why a request is not sent; nil if the agent can read it.
    func refusal(of request: AgentRequest) -> ContactFailure? {
        guard request.protocolVersion > protocolVersion else { return nil }
        return ContactFailure(
            .agentUnusable,
            "the agent speaks protocol \(protocolVersion) and would ignore this request, which needs "
                + "protocol \(request.protocolVersion)")
    }

    /// The replies to a request, until its last one or its deadline.
    package func replies(
        to request: AgentRequest, timeout: Duration
    ) async throws(ContactFailure) -> AsyncThrowingStream<AgentReply, any Error> {
        if let failure { throw failure }
        if let refusal = refusal(of: request) { throw refusal }
        let id = nextID
        nextID += 1
        let line: [UInt8]
        do {
            line = try LineCodec.encode(RequestFrame(id: id, request: request))
        } catch {
            throw ContactFailure(.agentUnusable, "the request does not fit the protocol: \(error)")
        }
        let (stream, continuation) = AsyncThrowingStream<AgentReply, any Error>.makeStream(
            bufferingPolicy: .bufferingOldest(AgentSession.bufferedReplies))
        waiting[id] = Waiting(continuation: continuation, expected: ExpectedReplies(to: request))
        let deadline = Task { [weak self, clock] in
            try await clock.sleep(timeout)
            await self?.expire(id, after: timeout)
        }
        continuation.onTermination = { _ in deadline.cancel() }
        do {
            try await channel.send(line)
        } catch {
            fail(error)
            throw error
        }
        return stream
    }

    package func close() async {
        fail(ContactFailure(.hostUnreachable, "the connection was closed"))
        reader?.cancel()
        await channel.close()
    }

    // MARK: Private

    /// Whether a line has the form of a frame, which no rc file prints.
    private static func isFrame(_ line: [UInt8]) -> Bool {
        guard line.first == UInt8(ascii: "{") else { return false }
        let document = try? CanonicalJSON.answer(from: line, nestingDepth: ProtocolLimits.nestingDepth)
        return document?.child("re") != nil && document?.child("kind") != nil
    }

    /// Delivers a reply to its request; false if reading must stop.
    private func deliver(_ frame: ReplyFrame) -> Bool {
        guard failure == nil else { return false }
        // The deadline of its request may have passed.
        guard let continuation = waiting[frame.re]?.continuation else { return true }
        guard waiting[frame.re]?.expected.take(frame.reply) == true else {
            fail(ContactFailure(.agentUnusable, "the agent sent more than was requested"))
            return false
        }
        if case .dropped = continuation.yield(frame.reply) {
            fail(ContactFailure(.agentUnusable, "the agent sent more than anyone could read"))
            return false
        }
        if frame.reply.isLast {
            continuation.finish()
            waiting[frame.re] = nil
        }
        return true
    }

    private func expire(_ id: UInt32, after timeout: Duration) {
        waiting.removeValue(forKey: id)?.continuation.finish(
            throwing: ContactFailure(.hostUnreachable, "no answer within \(timeout.components.seconds) s"))
    }

    private func fail(_ reason: ContactFailure) {
        if failure == nil { failure = reason }
        for waiter in waiting.values { waiter.continuation.finish(throwing: reason) }
        waiting = [:]
    }
}

/// What an agent may still answer to one request: a limited amount, and only the requested surfaces.
private struct ExpectedReplies {
    private var surfaces: Set<SurfaceName> = []
    /// Where the next piece of an operation's output begins; nil if no output was requested.
    private var outputPosition: Int64?
    private var outputBytes: Int64 = 0

    init(to request: AgentRequest) {
        switch request {
        case .capture(let capture): surfaces = Set(capture.surfaces.map(\.name))
        case .attach(let attach): outputPosition = attach.fromByte
        case .hello, .preflight, .carry, .start, .settle, .confirm, .journal: break
        }
    }

    /// Counts a reply; false if it is too large, or was not requested.
    mutating func take(_ reply: AgentReply) -> Bool {
        switch reply {
        case .surface(let surface):
            surfaces.remove(surface.name) != nil && surface.body.elements.count <= ProtocolLimits.surfaceBytes
        case .output(let output): take(output)
        case .ended(let record): record.outputTail.utf8.count <= OperationRecord.maximumDecodedTailBytes
        case .hello, .preflight, .carried, .captured, .started, .running, .tombstoned, .confirmed, .journal, .refused:
            true
        }
    }

    /// Output must come in order, in non-empty pieces, with declared gaps, and within the limit of one attachment.
    private mutating func take(_ output: OutputReply) -> Bool {
        let count = Int64(output.bytes.elements.count)
        guard let position = outputPosition, (1...Int64(ProtocolLimits.outputSliceBytes)).contains(count),
            output.droppedBytes ?? 1 > 0, output.fromByte - position == output.droppedBytes ?? 0
        else { return false }
        outputPosition = output.fromByte + count
        outputBytes += count
        return outputBytes <= ProtocolLimits.attachedOutputBytes
    }
}

extension AgentReply {
    /// Whether it is the last reply to its request.
    var isLast: Bool {
        switch self {
        case .hello, .preflight, .carried, .captured, .started, .running, .ended, .tombstoned, .confirmed, .journal,
            .refused:
            true
        case .surface, .output: false
        }
    }
}

func unexpected(_ reply: AgentReply, to request: String) -> ContactFailure {
    if case .refused(let refusal) = reply { return ContactFailure(refusal: refusal) }
    return ContactFailure(.agentUnusable, "the agent answered \(request) with an unexpected reply")
}

extension ContactFailure {
    /// A refusal as a contact failure with a hold code.
    init(refusal: Refusal) {
        switch refusal.code {
        case .ownedElsewhere: self.init(.hostOwnedElsewhere, refusal.message)
        case .diskFull: self.init(.diskFull, refusal.message)
        case .staleEpoch: self.init(.ledgerCopied, refusal.message)
        case .malformed, .unknownVerb, .helloFirst, .noCommonProtocol, .readOnly, .operationSeen, .busy,
            .notNewer, .unknownOperation, .limitExceeded, .internalFailure:
            self.init(.agentUnusable, "the agent refused: \(refusal.message)")
        }
    }
}

extension AgentSession {
    /// Brings the plan's files to the host, which keeps them. Nothing is sent if there are none.
    func carry(_ files: [CarriedFile]) async throws(ContactFailure) {
        guard !files.isEmpty else { return }
        let request = CarryRequest(
            files: files.map { .init(name: $0.name, sha256: $0.sha256, body: Bytes(Array($0.text.utf8))) })
        let reply = try await single(.carry(request), timeout: HostWork.requestTimeout)
        guard case .carried = reply else { throw unexpected(reply, to: "carry") }
    }

    /// The raw answers of all surfaces, captured one after the other on the host, or an error.
    ///
    /// - Parameter head: the head that the host keeps as a witness, if its agent supports that.
    func answers(
        to surfaces: [SurfaceOrder], in workingDirectory: String, hiding secretFiles: [String],
        leaving head: RunHead? = nil
    ) async throws(ContactFailure) -> [SurfaceName: SurfaceReply] {
        let request = CaptureRequest(
            workingDirectory: workingDirectory,
            surfaces: surfaces.map { SurfaceRequest(name: $0.surface.name, source: $0.surface.source) },
            secretFiles: secretFiles.isEmpty ? nil : secretFiles, head: protocolVersion < 2 ? nil : head)
        let seconds = surfaces.reduce(0) { $0 + $1.surface.source.timeoutSeconds }
        var answers: [SurfaceName: SurfaceReply] = [:]
        var isComplete = false
        do {
            let stream = try await replies(
                to: .capture(request), timeout: .seconds(seconds) + HostWork.requestTimeout)
            for try await reply in stream {
                switch reply {
                case .surface(let surface): answers[surface.name] = surface
                case .captured: isComplete = true
                case .hello, .preflight, .carried, .started, .running, .output, .ended, .tombstoned, .confirmed,
                    .journal,
                    .refused:
                    throw unexpected(reply, to: "capture")
                }
            }
        } catch let failure as ContactFailure {
            throw failure
        } catch {
            throw ContactFailure(.hostUnreachable, "\(error)")
        }
        guard isComplete else { throw ContactFailure(.hostUnreachable, "the capture ended before its last answer") }
        return answers
    }
}
