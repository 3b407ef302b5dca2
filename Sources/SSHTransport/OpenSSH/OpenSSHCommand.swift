import Subprocess

/// One command over a login that `ssh` keeps: a child of this process whose three streams are the command's.
package final class OpenSSHCommand: RemoteCommand {
    private let pipe: CommandPipe
    private let process: Task<Void, Never>
    private let connection: OpenSSHConnection

    /// - Parameter program: the words before the command line's own.
    init(_ program: [String], _ words: [String], over connection: OpenSSHConnection) {
        self.connection = connection
        let pipe = CommandPipe(target: connection.target)
        self.pipe = pipe
        process = Task {
            let ending = await OpenSSHCommand.run(program, words, pipe)
            connection.commandEnded()
            await pipe.finish(await OpenSSHCommand.meaning(of: ending, connection, pipe))
        }
    }

    deinit { process.cancel() }

    /// Returns once the host has opened a channel for it.
    ///
    /// - Throws: `execRefused`, or `connectionLost` if it ended before; `execTimedOut` and `cancelled`, which also end
    ///   it.
    func started(within deadline: Duration) async throws(SSHError) {
        do {
            try await pipe.started(within: deadline)
        } catch {
            process.cancel()
            throw error
        }
    }

    private enum Ending {
        case exit(TerminationStatus)
        case noProcess(String)
    }

    /// Runs `ssh` and carries its streams.
    private static func run(_ program: [String], _ words: [String], _ pipe: CommandPipe) async -> Ending {
        do {
            let ended = try await Subprocess.run(
                OpenSSHConnection.executable(program), arguments: Arguments(program.dropFirst() + words),
                environment: OpenSSHConnection.environment, input: .inputWriter, output: .sequence, error: .sequence
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
            return .exit(ended.terminationStatus)
        } catch {
            return .noProcess("\(error)")
        }
    }

    /// What the end of `ssh` means for the command.
    private static func meaning(
        of ending: Ending, _ connection: OpenSSHConnection, _ pipe: CommandPipe
    ) async -> Result<SSHExit, SSHError> {
        let target = connection.target
        if Task.isCancelled {
            return .failure(target.error(await pipe.givenUp ?? .closed, detail: "the command was closed"))
        }
        guard case .exit(let status) = ending else {
            let cause = if case .noProcess(let cause) = ending { cause } else { nil as String? }
            return .failure(target.error(.limitExceeded, detail: "ssh could not be run", cause: cause))
        }
        guard case .exited(let code) = status else {
            return .failure(target.error(.connectionLost, detail: "its ssh was ended by another process"))
        }
        let hadStarted = await pipe.log.hasStarted
        switch await pipe.endLog() {
        case .status: return .success(SSHExit(status: Int(code), signal: nil))
        case _ where connection.isClosed: return .failure(target.error(.closed))
        case .nothing where await connection.stands():
            return .success(SSHExit(status: 0, signal: SSHExit.unnamedSignal))
        case .nothing: return .failure(target.error(.connectionLost))
        // An error of its own is 255 (ssh(1)). An `ssh` that logs other texts is trusted as well.
        case .trouble where code != 255: return .success(SSHExit(status: Int(code), signal: nil))
        case .trouble:
            let log = await pipe.log.own
            let isRefused = !hadStarted && log.code == .execRefused
            return .failure(target.error(isRefused ? .execRefused : .connectionLost, detail: log.complaint))
        }
    }

    private static func carry(
        _ stream: SubprocessOutputSequence, _ use: (sending [UInt8]) async -> Void
    ) async {
        do {
            for try await buffer in stream { await use(buffer.withUnsafeBytes { [UInt8]($0) }) }
        } catch {
            // The stream broke together with its process, whose status says how it ended.
        }
    }

    private static func write(_ pipe: CommandPipe, _ writer: StandardInputWriter) async {
        while let bytes = await pipe.nextInput() {
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(TransportLimits.pipeBytes))
                guard (try? await writer.write(piece)) == piece.count else { break }
                await pipe.noteInput()
                rest = rest.dropFirst(piece.count)
            }
            await pipe.inputTaken(rest.isEmpty)
        }
        try? await writer.finish()
    }

    package func write(_ bytes: [UInt8]) async throws(SSHError) {
        let failure = await withTaskCancellationHandler {
            await pipe.write(bytes)
        } onCancel: {
            Task {
                await pipe.giveUp(.cancelled)
                process.cancel()
            }
        }
        if let failure { throw Task.isCancelled ? connection.target.error(.cancelled) : failure }
    }

    package func sendEOF() { Task { [pipe] in await pipe.sendEOF() } }

    package func read(timeout: Duration?) async throws(SSHError) -> [UInt8]? { try await pipe.read(timeout: timeout) }

    package func exit() async throws(SSHError) -> SSHExit { try await pipe.exit() }

    package func standardErrorTail() async -> [UInt8] { await pipe.log.commandTail }

    package func close() { process.cancel() }
}

/// Connects a child's streams with the callers that read and write them.
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
    private(set) var log = OpenSSHCommandLog()
    /// Waits for the start. The resuming code passes the error if there will be none.
    private var starter: CheckedContinuation<SSHError?, Never>?
    private var reader: Reader?
    private var nextID: UInt64 = 0
    /// The child's stream waits here while there is no reader.
    private var producer: CheckedContinuation<Void, Never>?
    private var writers: [Writer] = []
    /// The input that is being written to the child.
    private var givenInput: Writer?
    private var consumer: CheckedContinuation<[UInt8]?, Never>?
    private var inputIsEnded = false
    private var lastInput = ContinuousClock.now
    private var ended: Result<SSHExit, SSHError>?
    /// Why this side ends it.
    private(set) var givenUp: SSHError.Code?
    private var exits: [CheckedContinuation<Result<SSHExit, SSHError>, Never>] = []

    init(target: SSHTarget) {
        self.target = target
    }

    // MARK: The child's side

    /// Stores output; returns once there is room for more.
    func put(_ bytes: [UInt8]) async {
        output += bytes
        // Output proves the start, whatever the log says.
        start(nil)
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
        log.take(bytes)
        if log.hasStarted { start(nil) }
    }

    func endLog() -> OpenSSHCommandLog.Ending { log.end() }

    private func start(_ failure: SSHError?) {
        starter?.resume(returning: failure)
        starter = nil
    }

    /// The next input for the child; nil if there will be none.
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

    /// A partial write counts as progress.
    func noteInput() { lastInput = .now }

    func inputTaken(_ isTaken: Bool) {
        givenInput?.continuation.resume(returning: isTaken ? nil : hasEnded)
        givenInput = nil
    }

    private var hasEnded: SSHError { target.error(givenUp ?? .closed, detail: "the command has ended") }

    func endInput() {
        inputIsEnded = true
        for writer in writers { writer.continuation.resume(returning: hasEnded) }
        writers = []
        consumer?.resume(returning: nil)
        consumer = nil
    }

    func giveUp(_ code: SSHError.Code) { givenUp = code }

    /// The streams will deliver nothing more.
    func finish(_ ending: Result<SSHExit, SSHError>) {
        ended = ending
        // A command that ended without an error has started.
        if case .failure(let error) = ending { start(error) } else { start(nil) }
        endInput()
        deliver()
        for exit in exits { exit.resume(returning: ending) }
        exits = []
    }

    // MARK: The callers' side

    /// Waits until the command has started; called once.
    func started(within deadline: Duration) async throws(SSHError) {
        let expiry = Task {
            try await Task.sleep(for: deadline)
            start(target.error(.execTimedOut))
        }
        defer { expiry.cancel() }
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                starter = continuation
                switch ended {
                case .failure(let error)?: start(error)
                case .success?: start(nil)
                case nil: if log.hasStarted || !output.isEmpty { start(nil) }
                }
            }
        } onCancel: {
            Task { await self.start(target.error(.cancelled)) }
        }
        if let failure { throw failure }
    }

    /// Why the input was not accepted; nil if it was.
    func write(_ bytes: [UInt8]) async -> SSHError? {
        if case .failure(let error)? = ended { return error }
        guard !inputIsEnded else { return target.error(givenUp ?? .closed, detail: "the command's input has ended") }
        guard !bytes.isEmpty else { return nil }
        return await withCheckedContinuation { continuation in
            writers.append((bytes, continuation))
            if let consumer {
                self.consumer = nil
                consumer.resume(returning: give())
            }
        }
    }

    /// Everything written before is sent first.
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

    /// Input accepted meanwhile also counts as progress and moves the deadline.
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

    /// Delivers output to a waiting reader: bytes first, then the end, then the failure.
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
