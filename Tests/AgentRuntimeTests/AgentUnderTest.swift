import AgentProtocol
import Foundation
import Glibc
import TestSupport
import UpgradeDomain

/// A host with its own state folder, served by real agent processes.
final class HostUnderTest {
    let folder: URL
    let state: URL
    private let bootIDFile: URL
    private var sessions: [AgentUnderTest] = []

    /// - Parameter state: where the agent keeps its state; in the host's folder when nil.
    init(state: URL? = nil) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "lockflight-agent-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.state = state ?? folder.appending(path: "state")
        bootIDFile = folder.appending(path: "boot-id")
        try Data("first-boot\n".utf8).write(to: bootIDFile)
    }

    deinit {
        for session in sessions { session.kill() }
        try? FileManager.default.removeItem(at: folder)
    }

    func reboot() throws { try Data("second-boot\n".utf8).write(to: bootIDFile) }

    /// Opens a new session; it says hello if an epoch or `reading` is given.
    ///
    /// - Parameters:
    ///   - prefix: a command prefix that runs the agent, such as nsenter(1) with its options.
    ///   - path: where the agent finds the tools of its host.
    func session(
        ledger: LedgerID = "ledger-a", epoch: Epoch? = 1, takeOver: Bool = false, hello: Bool = true,
        within prefix: [String] = [], path: String = "/usr/bin:/bin"
    ) throws -> AgentUnderTest {
        let session = try AgentUnderTest(
            within: prefix,
            environment: [
                "PATH": path, "HOME": folder.path, "LOCKFLIGHT_STATE_DIRECTORY": state.path,
                "LOCKFLIGHT_BOOT_ID_FILE": bootIDFile.path,
            ])
        sessions.append(session)
        if hello {
            let reply = try session.ask(.hello(HelloRequest(ledger: ledger, epoch: epoch, takeOver: takeOver)))
            guard case .hello = reply else { throw Surprise("hello was answered with \(reply)") }
        }
        return session
    }

    /// A start request for a shell text that runs in the host's folder.
    func start(
        _ id: OperationID, _ shell: String, epoch: Epoch = 1, timeoutSeconds: Int = 20,
        guardrails: [ScriptCommand] = [], environment: [String: String] = [:]
    ) -> StartRequest {
        start(
            id,
            ScriptCommand(arguments: ["sh", "-c", shell], environment: environment, timeoutSeconds: timeoutSeconds),
            epoch: epoch, guardrails: guardrails)
    }

    func start(
        _ id: OperationID, _ command: ScriptCommand, epoch: Epoch = 1, guardrails: [ScriptCommand] = [],
        usesPreservedScript: Bool = false, revertsWithinSeconds: Int? = nil, revert: String = "",
        secretFiles: [String]? = nil
    ) -> StartRequest {
        let digest = Digest("sha256:" + String(repeating: "0", count: 64))
        let intent = OperationIntent(
            id: id, placement: Placement(host: "core-1", layer: "core"), action: .step(name: "redeploy"), attempt: 1,
            boundary: .batch(layer: "core", index: 0), planDigest: digest, epoch: epoch,
            revert: revertsWithinSeconds.map { RevertIntent(of: id, withinSeconds: $0) })
        return StartRequest(
            intent: intent, run: "r-1", chainHead: digest, workingDirectory: folder.path, guardrails: guardrails,
            command: command, usesPreservedScript: usesPreservedScript,
            revert: revertsWithinSeconds.map { _ in
                RevertScript(
                    guardrails: [], command: ScriptCommand(arguments: ["sh", "-c", revert], timeoutSeconds: 20))
            }, secretFiles: secretFiles)
    }

    /// The lines of a file that scripts append to; empty if the file does not exist yet.
    func lines(of name: String) -> [String] {
        let text = (try? String(contentsOf: folder.appending(path: name), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: folder.appending(path: name))
    }

    /// A program that stands in for one that is not on this machine; its folder is ``tools``.
    func tool(_ name: String, _ shell: String) throws {
        try FileManager.default.createDirectory(atPath: tools, withIntermediateDirectories: true)
        try write("tools/\(name)", "#!/bin/sh\n\(shell)\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(tools)/\(name)")
    }

    var tools: String { folder.appending(path: "tools").path }

    /// Captures one surface.
    func take(_ source: SurfaceSource, within prefix: [String] = [], path: String = "/usr/bin:/bin") throws
        -> SurfaceReply
    {
        let session = try session(epoch: nil, within: prefix, path: path)
        guard let reply = try session.capture([SurfaceRequest(name: "s", source: source)], in: folder.path).first else {
            throw Surprise("no answer")
        }
        return reply
    }

    /// The supervisor of an operation: the live process whose arguments name this host's state folder.
    func supervisorPID(of id: OperationID) throws -> Int32? {
        let path = state.appending(path: "operations/\(id)").path
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let pid = Int32(name), let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else {
                continue
            }
            let words = data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            if words.contains("supervise"), words.last == path { return pid }
        }
        return nil
    }
}

/// Busy-waits, so that a kill can land between two system calls.
func afterMicroseconds(_ count: Int, _ act: () -> Void) {
    let end = ContinuousClock.now.advanced(by: .microseconds(count))
    while ContinuousClock.now < end {}
    act()
}

/// An error for a result that a test did not expect.
struct Surprise: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// One `lockflight-agent serve` process.
final class AgentUnderTest {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var splitter = LineSplitter()
    private var received: [ReplyFrame] = []
    private var nextID: UInt32 = 1

    init(within prefix: [String], environment: [String: String]) throws {
        signal(SIGPIPE, SIG_IGN)
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let agent = URL(fileURLWithPath: tests).deletingLastPathComponent().appending(path: "lockflight-agent")
        let words = prefix + [agent.path, "serve"]
        process.executableURL = URL(fileURLWithPath: prefix.isEmpty ? words[0] : "/usr/bin/env")
        process.arguments = prefix.isEmpty ? Array(words.dropFirst()) : words
        // Under `make sanitize` the agent uses the same sanitizer options as the tests.
        let sanitizing = ProcessInfo.processInfo.environment.filter { $0.key.hasSuffix("SAN_OPTIONS") }
        process.environment = environment.merging(sanitizing) { own, _ in own }
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try output.fileHandleForWriting.close()
        try input.fileHandleForReading.close()
    }

    var isRunning: Bool { process.isRunning }

    func kill() { if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) } }

    func endInput() throws { try input.fileHandleForWriting.close() }

    func waitUntilEnded() { process.waitUntilExit() }

    func send(_ bytes: [UInt8]) throws { try input.fileHandleForWriting.write(contentsOf: Data(bytes)) }

    func send(line: String) throws { try send(Array((line + "\n").utf8)) }

    /// Sends a request and returns its number.
    func send(_ request: AgentRequest) throws -> UInt32 {
        defer { nextID += 1 }
        try send(LineCodec.encode(RequestFrame(id: nextID, request: request)))
        return nextID
    }

    /// Sends a request and returns its first reply.
    func ask(_ request: AgentRequest) throws -> AgentReply { try reply(to: send(request)) }

    /// Returns the next reply to a request and ignores other replies that arrive in the meantime.
    func reply(to id: UInt32, within seconds: Double = 30) throws -> AgentReply {
        var deadline = TimeLimit(.seconds(seconds))
        while true {
            if let position = received.firstIndex(where: { $0.re == id }) { return received.remove(at: position).reply }
            guard !deadline.hasPassed() else { throw NotInTime("a reply to request \(id)", deadline) }
            var readable = pollfd(fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&readable, 1, Int32(deadline.remaining / .milliseconds(1)) + 1) > 0 else { continue }
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { throw Surprise("the agent ended without a reply to request \(id)") }
            for line in splitter.receive(data) {
                received.append(try LineCodec.decode(ReplyFrame.self, from: line.get()))
            }
        }
    }

    func refusal(_ request: AgentRequest) throws -> Refusal.Code {
        let reply = try ask(request)
        guard case .refused(let refusal) = reply else { throw Surprise("not refused: \(reply)") }
        return refusal.code
    }

    /// Starts an operation that must be accepted.
    func begin(_ request: StartRequest) throws {
        let reply = try ask(.start(request))
        guard reply == .started(id: request.intent.id) else { throw Surprise("not started: \(reply)") }
    }

    /// Follows an operation to its record and returns the output from the offset on; fails on a gap.
    func follow(_ id: OperationID, fromByte: Int64 = 0) throws -> (record: OperationRecord, output: String) {
        let (record, pieces) = try followPieces(of: id, fromByte: fromByte)
        guard pieces.count < 2 else { throw Surprise("a gap before \(pieces[1].fromByte)") }
        return (record, String(decoding: pieces.first?.bytes ?? [], as: UTF8.self))
    }

    /// Follows an operation to its record and returns the pieces between gaps with their offsets.
    func followPieces(
        of id: OperationID, fromByte: Int64 = 0
    ) throws -> (record: OperationRecord, pieces: [(fromByte: Int64, bytes: [UInt8])]) {
        let request = try send(.attach(AttachRequest(operation: id, fromByte: fromByte)))
        var pieces: [(fromByte: Int64, bytes: [UInt8])] = []
        var position = fromByte
        while true {
            switch try reply(to: request) {
            case .output(let slice):
                guard slice.fromByte == position + (slice.droppedBytes ?? 0) else {
                    throw Surprise("an unreported gap at \(slice.fromByte)")
                }
                if pieces.isEmpty || slice.droppedBytes != nil { pieces.append((slice.fromByte, [])) }
                pieces[pieces.count - 1].bytes += slice.bytes.elements
                position = slice.fromByte + Int64(slice.bytes.elements.count)
            case .ended(let record): return (record, pieces)
            case let other: throw Surprise("attach was answered with \(other)")
            }
        }
    }

    func run(_ request: StartRequest) throws -> (record: OperationRecord, output: String) {
        try begin(request)
        return try follow(request.intent.id)
    }

    func capture(_ surfaces: [SurfaceRequest], in directory: String) throws -> [SurfaceReply] {
        let request = try send(.capture(CaptureRequest(workingDirectory: directory, surfaces: surfaces)))
        var taken: [SurfaceReply] = []
        while true {
            switch try reply(to: request) {
            case .surface(let surface): taken.append(surface)
            case .captured: return taken
            case let other: throw Surprise("capture was answered with \(other)")
            }
        }
    }
}
