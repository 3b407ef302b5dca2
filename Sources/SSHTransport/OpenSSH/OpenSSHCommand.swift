import Subprocess

/// One command over a login that `ssh` keeps: a child of this process whose three streams are the command's.
public final class OpenSSHCommand: RemoteCommand {
    private let pipe: CommandPipe
    private let process: Task<Void, Never>
    private let connection: OpenSSHConnection

    init(_ words: [String], over connection: OpenSSHConnection) {
        self.connection = connection
        let pipe = CommandPipe(target: connection.target)
        self.pipe = pipe
        process = Task {
            await pipe.finish(await OpenSSHCommand.ending(of: words, pipe))
        }
    }

    deinit { process.cancel() }

    /// Runs `ssh` and carries its streams; what it ended with.
    private static func ending(of words: [String], _ pipe: CommandPipe) async -> Result<SSHExit, SSHError> {
        do {
            let ended = try await Subprocess.run(
                .name("ssh"), arguments: Arguments(words), environment: .inherit.updating(["LC_ALL": "C"]),
                input: .inputWriter, output: .sequence, error: .sequence
            ) { execution in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await carry(execution.standardOutput) { await pipe.put($0) } }
                    group.addTask { await carry(execution.standardError) { await pipe.keepError($0) } }
                    let writing = Task { await write(pipe, execution.standardInputWriter) }
                    await group.waitForAll()
                    await pipe.endInput()
                    await writing.value
                }
            }
            return await pipe.ending(ended.terminationStatus)
        } catch {
            return await pipe.failed("\(error)")
        }
    }

    private static func carry(
        _ stream: SubprocessOutputSequence, _ use: (sending [UInt8]) async -> Void
    ) async {
        do {
            for try await buffer in stream { await use(buffer.withUnsafeBytes { [UInt8]($0) }) }
        } catch {
            // The stream broke with its process, whose end is told by its status.
        }
    }

    private static func write(_ pipe: CommandPipe, _ writer: StandardInputWriter) async {
        while let bytes = await pipe.nextInput() {
            let isTaken = (try? await writer.write(bytes)) == bytes.count
            await pipe.inputTaken(isTaken)
        }
        try? await writer.finish()
    }

    public func write(_ bytes: [UInt8]) async throws(SSHError) {
        let failure = await withTaskCancellationHandler {
            await pipe.write(bytes)
        } onCancel: {
            process.cancel()
        }
        if let failure { throw Task.isCancelled ? connection.target.error(.cancelled) : failure }
    }

    public func sendEOF() { Task { [pipe] in await pipe.sendEOF() } }

    public func read(timeout: Duration?) async throws(SSHError) -> [UInt8]? { try await pipe.read(timeout: timeout) }

    public func exit() async throws(SSHError) -> SSHExit { try await pipe.exit() }

    public func standardErrorTail() async -> [UInt8] { await pipe.errorTail }

    public func close() { process.cancel() }
}

/// What stands between a child's streams and those who read and write them.
actor CommandPipe {
    private enum Reading {
        case bytes([UInt8])
        case end
        case failure(SSHError)
    }
    private typealias Reader = (id: UInt64, continuation: CheckedContinuation<Reading, Never>)
    private typealias Writer = (bytes: [UInt8], continuation: CheckedContinuation<SSHError?, Never>)

    private let target: SSHTarget
    private var output: [UInt8] = []
    private(set) var errorTail: [UInt8] = []
    private var reader: Reader?
    private var nextID: UInt64 = 0
    /// The child's stream waits here while nobody reads.
    private var producer: CheckedContinuation<Void, Never>?
    private var writers: [Writer] = []
    /// The input that the child is being given.
    private var givenInput: Writer?
    private var consumer: CheckedContinuation<[UInt8]?, Never>?
    private var inputIsEnded = false
    private var lastInput = ContinuousClock.now
    private var ended: Result<SSHExit, SSHError>?
    private var exits: [CheckedContinuation<Result<SSHExit, SSHError>, Never>] = []

    init(target: SSHTarget) {
        self.target = target
    }

    // MARK: The child's side

    /// Takes output in; returns once there is room for more.
    func put(_ bytes: [UInt8]) async {
        output += bytes
        deliver()
        guard output.count >= TransportLimits.waitingOutputBytes, !Task.isCancelled else { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { producer = $0 }
        } onCancel: {
            Task { await self.letProducerGo() }
        }
    }

    private func letProducerGo() {
        producer?.resume()
        producer = nil
    }

    func keepError(_ bytes: [UInt8]) {
        errorTail = (errorTail + bytes).suffix(TransportLimits.errorTailBytes)
    }

    /// The next input for the child; nil when there will be none.
    func nextInput() async -> [UInt8]? {
        if givenInput == nil, !writers.isEmpty { return give() }
        if inputIsEnded { return nil }
        return await withCheckedContinuation { consumer = $0 }
    }

    private func give() -> [UInt8]? {
        guard !writers.isEmpty else { return nil }
        let writer = writers.removeFirst()
        givenInput = writer
        return writer.bytes
    }

    func inputTaken(_ isTaken: Bool) {
        lastInput = .now
        givenInput?.continuation.resume(returning: isTaken ? nil : hasEnded)
        givenInput = nil
    }

    private var hasEnded: SSHError { target.error(.closed, detail: "the command has ended") }

    func endInput() {
        inputIsEnded = true
        for writer in writers { writer.continuation.resume(returning: hasEnded) }
        writers = []
        consumer?.resume(returning: nil)
        consumer = nil
    }

    /// What the end of `ssh` says of the command: its status, or 255 for trouble of its own.
    func ending(_ status: TerminationStatus) -> Result<SSHExit, SSHError> {
        switch status {
        case .exited(255):
            let complaint = OpenSSHComplaint(errorTail)
            return .failure(target.error(complaint.code(otherwise: .connectionLost), detail: complaint.words))
        case .exited(let code): return .success(SSHExit(status: Int(code), signal: nil))
        case .signaled: return .failure(target.error(.closed, detail: "the command was closed"))
        }
    }

    func failed(_ cause: String) -> Result<SSHExit, SSHError> {
        .failure(target.error(.closed, detail: "the command was closed", cause: cause))
    }

    /// No stream will bring anything any more.
    func finish(_ ending: Result<SSHExit, SSHError>) {
        ended = ending
        endInput()
        deliver()
        for exit in exits { exit.resume(returning: ending) }
        exits = []
    }

    // MARK: The callers' side

    /// Why the input was not taken; nil when it was.
    func write(_ bytes: [UInt8]) async -> SSHError? {
        if case .failure(let error)? = ended { return error }
        guard !inputIsEnded else { return target.error(.closed, detail: "the command's input has ended") }
        guard !bytes.isEmpty else { return nil }
        return await withCheckedContinuation { continuation in
            writers.append((bytes, continuation))
            if let consumer {
                self.consumer = nil
                consumer.resume(returning: give())
            }
        }
    }

    /// Lets what was written before go out first.
    func sendEOF() {
        inputIsEnded = true
        guard writers.isEmpty else { return }
        consumer?.resume(returning: nil)
        consumer = nil
    }

    func read(timeout: Duration?) async throws(SSHError) -> [UInt8]? {
        guard reader == nil else {
            throw target.error(.limitExceeded, detail: "another read waits for the same command")
        }
        let id = nextID
        nextID += 1
        let reading = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                reader = (id, continuation)
                deliver()
                if let timeout { expire(id, timeout, in: timeout) }
            }
        } onCancel: {
            Task { await self.stopReading(id, .cancelled) }
        }
        switch reading {
        case .bytes(let bytes): return bytes
        case .end: return nil
        case .failure(let error): throw error
        }
    }

    /// Input that was taken meanwhile is progress too, and moves the deadline.
    private func expire(_ id: UInt64, _ timeout: Duration, in delay: Duration) {
        Task {
            try await Task.sleep(for: delay)
            let silence = ContinuousClock.now - lastInput
            if silence < timeout {
                expire(id, timeout, in: timeout - silence)
            } else {
                stopReading(id, .progressTimedOut, detail: "for \(timeout)")
            }
        }
    }

    private func stopReading(_ id: UInt64, _ code: SSHError.Code, detail: String? = nil) {
        guard let reader, reader.id == id else { return }
        self.reader = nil
        reader.continuation.resume(returning: .failure(target.error(code, detail: detail)))
    }

    /// Hands output to a waiting reader: bytes first, then the end, then the failure.
    private func deliver() {
        guard let reader, !output.isEmpty || ended != nil else { return }
        self.reader = nil
        if !output.isEmpty {
            reader.continuation.resume(returning: .bytes(output))
            output = []
            letProducerGo()
        } else {
            switch ended {
            case .failure(let error)?: reader.continuation.resume(returning: .failure(error))
            case .success?, nil: reader.continuation.resume(returning: .end)
            }
        }
    }

    func exit() async throws(SSHError) -> SSHExit {
        if let ended { return try ended.get() }
        return try await withCheckedContinuation { exits.append($0) }.get()
    }
}
