import Foundation
import LabFleet
import Subprocess
import SystemPackage
import Testing
import UpgradeDomain

/// A lab, a ledger and the real `lockflight` executable over them. Each fixture has addresses and folders of its own.
struct FleetFixture: Sendable {
    /// No command of these tests takes longer; one that does is ended and fails its test.
    static let commandTimeoutSeconds = 600
    static let outputBytes = 4_194_304

    let folder: String
    let lab: Lab

    /// Brings a lab up, imports and trusts it, runs the body, and takes everything down whatever happened.
    static func with(
        _ layout: LabLayout = .standard(hosts: 3), _ body: (FleetFixture) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/lockflight-e2e-\(UUID().uuidString.prefix(8))"
        let lab = try await Lab.up(at: folder + "/lab", layout: layout, network: LabNetwork.next(), sshPort: 2_222)
        let fixture = FleetFixture(folder: folder, lab: lab)
        do {
            try await fixture.expect(.verified, "inventory", "import", lab.inventoryPath)
            try await fixture.expect(.verified, "inventory", "trust", "--known-hosts", lab.knownHostsPath)
            try await body(fixture)
        } catch {
            try await lab.down(removing: true)
            throw error
        }
        try await lab.down(removing: true)
        try FileManager.default.removeItem(atPath: folder)
    }

    /// The exit codes of the command line, as its help lists them.
    enum Exit: Int32 {
        case verified = 0
        case held = 10
        case rolledBackVerified = 11
        case rolledBackNotVerified = 12
        case refused = 13
        case unreachable = 14
        case detached = 20
        case usage = 64
    }

    struct Outcome: Sendable {
        var code: Int32
        var output: String
        var errors: String

        /// The result of a command that ran with `--json`.
        func document() throws -> JSONValue { try JSONDecoder().decode(JSONValue.self, from: Data(output.utf8)) }
    }

    // MARK: The executable

    static let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    static var executable: String {
        let beside = "/proc/self/exe"
        let resolved = (try? FileManager.default.destinationOfSymbolicLink(atPath: beside)) ?? products
        let candidates = [
            products, URL(fileURLWithPath: resolved).deletingLastPathComponent().path, repository + "/.build/debug",
        ]
        return candidates.map { $0 + "/lockflight" }.first { FileManager.default.isExecutableFile(atPath: $0) }
            ?? "lockflight"
    }

    /// Where the agent's builds are.
    var agents: String {
        ProcessInfo.processInfo.environment["LOCKFLIGHT_AGENT_DIRECTORY"] ?? FleetFixture.repository
            + "/.build-agent/out"
    }

    var environment: Environment {
        return .inherit.updating([
            "LOCKFLIGHT_LEDGER": "\(folder)/ledger.sqlite", "LOCKFLIGHT_AGENT_DIRECTORY": agents,
            "PATH": URL(fileURLWithPath: FleetFixture.executable).deletingLastPathComponent().path + ":"
                + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"),
        ])
    }

    func run(_ arguments: [String], failpoint: String? = nil) async throws -> Outcome {
        let record = try await Subprocess.run(
            .name("timeout"),
            arguments: Arguments(["\(FleetFixture.commandTimeoutSeconds)", FleetFixture.executable] + arguments),
            environment: environment.updating(["LOCKFLIGHT_FAILPOINT": failpoint ?? ""]),
            output: .string(limit: FleetFixture.outputBytes), error: .string(limit: FleetFixture.outputBytes))
        return Outcome(
            code: record.terminationStatus.exitCode, output: record.standardOutput, errors: record.standardError)
    }

    @discardableResult
    func expect(
        _ exit: Exit, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Outcome {
        let outcome = try await run(arguments)
        #expect(
            outcome.code == exit.rawValue,
            "lockflight \(arguments.joined(separator: " ")): exit \(outcome.code)\n\(outcome.output)\n\(outcome.errors)",
            sourceLocation: sourceLocation)
        return outcome
    }

    /// Runs a printed command line as a shell would, word for word.
    func runVerbatim(_ line: String) async throws -> Outcome {
        let record = try await Subprocess.run(
            .name("timeout"), arguments: ["\(FleetFixture.commandTimeoutSeconds)", "sh", "-c", line],
            environment: environment,
            output: .string(limit: FleetFixture.outputBytes), error: .string(limit: FleetFixture.outputBytes))
        return Outcome(
            code: record.terminationStatus.exitCode, output: record.standardOutput, errors: record.standardError)
    }

    /// Runs a command with the agents of another folder, if given, and takes the most memory that it, or a child that it
    /// waited for, had resident at a time.
    func runMeasured(
        _ arguments: [String], agents: String? = nil
    ) async throws -> (outcome: Outcome, peakMebibytes: Int) {
        let peak = "\(folder)/peak-\(UUID().uuidString)"
        let measuring = """
            import resource, subprocess, sys
            code = subprocess.run(sys.argv[2:]).returncode
            kibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            open(sys.argv[1], "w").write(str(kibibytes // 1024))
            sys.exit(code)
            """
        let record = try await Subprocess.run(
            .name("timeout"),
            arguments: Arguments(
                ["\(FleetFixture.commandTimeoutSeconds)", "python3", "-c", measuring, peak, FleetFixture.executable]
                    + arguments),
            environment: environment.updating(["LOCKFLIGHT_AGENT_DIRECTORY": agents ?? self.agents]),
            output: .string(limit: FleetFixture.outputBytes), error: .string(limit: FleetFixture.outputBytes))
        let outcome = Outcome(
            code: record.terminationStatus.exitCode, output: record.standardOutput, errors: record.standardError)
        return (outcome, Int((try? String(contentsOfFile: peak, encoding: .utf8)) ?? "") ?? 0)
    }

    // MARK: Plans

    /// Stores the lab's plan to a version (optionally changed) and approves it for every layer.
    func approvePlan(
        to version: Version, change: (String) -> String = { $0 }, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let text = try String(contentsOfFile: lab.planPath(to: version), encoding: .utf8)
        let path = "\(folder)/plan.yaml"
        try change(text).write(toFile: path, atomically: true, encoding: .utf8)
        let added = try await expect(.verified, "plan", "add", path, "--json", sourceLocation: sourceLocation)
        let digest = try #require(try added.document().value(at: "/digest")?.scalarText)
        for layer in lab.layout.layers {
            try await expect(
                .verified, "plan", "approve", digest, "--as", "\(layer)-owner", sourceLocation: sourceLocation)
        }
    }

    // MARK: What is true, asked of the hosts and not of our records

    func version(_ host: HostName, _ layer: LayerName) async throws -> String? {
        try await lab.runningVersion(of: try lab.host(host), layer: layer)
    }

    /// The operation ids that an agent's journal on a host holds.
    func journal(of host: HostName) throws -> [String] {
        let folder = try lab.host(host).stateDirectory + "/operations"
        return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    /// The run as `status --json` shows it.
    func status() async throws -> JSONValue {
        let outcome = try await run(["status", "--json"])
        return try outcome.document()
    }

    /// The number of the run's last event.
    func sequence() async throws -> Int64 {
        guard case .integer(let number)? = try await status().value(at: "/sequence") else { return 0 }
        return number
    }

    func holdCode() async throws -> String? { try await status().value(at: "/hold/code")?.scalarText }

    /// Polls until a condition on the outside world holds.
    func wait(
        for what: String, within limit: Duration = .seconds(180), _ condition: () async throws -> Bool
    ) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while try await !condition() {
            guard clock.now < deadline else {
                Issue.record("waited \(limit) in vain for \(what)")
                throw CancellationError()
            }
            try await clock.sleep(for: .milliseconds(20))
        }
    }
}

/// Loopback networks that no other fixture of this machine uses at the same time.
enum LabNetwork {
    private static let counter = Counter()

    static func next() -> String {
        let process = Int(ProcessInfo.processInfo.processIdentifier)
        return "127.\(80 + process % 150).\(counter.next())"
    }

    private final class Counter: @unchecked Sendable {
        private let lock = NSLock()
        private var value = 0
        func next() -> Int {
            lock.withLock {
                value += 1
                return value % 250
            }
        }
    }
}

extension TerminationStatus {
    /// As a shell reports it: the exit code, or 128 and the signal.
    var exitCode: Int32 {
        switch self {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    }
}

// MARK: Commands on a terminal

extension FleetFixture {
    /// Runs a command on a terminal of its own; once it asks, types an answer, or kills it where there is none.
    ///
    /// - Parameter question: the words that it is waited for.
    func runOnTerminal(
        _ arguments: [String], whenAsked question: String, type answer: String?,
        variables: [Environment.Key: String?] = [:]
    ) async throws -> Outcome {
        let terminal = """
            import os, pty, signal, sys
            question, answer, *command = sys.argv[1:]
            process, master = pty.fork()
            if process == 0:
                os.execv(command[0], command)
            seen, is_asked = b"", False
            while True:
                try:
                    piece = os.read(master, 4096)
                except OSError:
                    break
                if not piece:
                    break
                seen += piece
                if question.encode() in seen and not is_asked:
                    is_asked = True
                    if answer:
                        os.write(master, answer.encode() + b"\\n")
                    else:
                        os.kill(process, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            sys.stdout.buffer.write(seen)
            sys.exit(code if code >= 0 else 128 - code)
            """
        let record = try await Subprocess.run(
            .name("timeout"),
            arguments: Arguments(
                [
                    "\(FleetFixture.commandTimeoutSeconds)", "python3", "-c", terminal, question, answer ?? "",
                    FleetFixture.executable,
                ] + arguments),
            environment: environment.updating(["SSH_AUTH_SOCK": nil, "TMPDIR": folder]).updating(variables),
            output: .string(limit: FleetFixture.outputBytes), error: .string(limit: FleetFixture.outputBytes))
        return Outcome(
            code: record.terminationStatus.exitCode, output: record.standardOutput, errors: record.standardError)
    }
}

// MARK: Commands in the background, and the processes of hosts

extension FleetFixture {
    /// Runs a command, through another program if there is a prefix, while the body does something to it; returns how
    /// it ended.
    @discardableResult
    func withRunning(
        _ arguments: String..., through prefix: [String] = [], body: (pid_t) async throws -> Void
    ) async throws -> Outcome {
        let output = "\(folder)/output-\(UUID().uuidString)"
        let files = try [output, output + ".errors"].map {
            try FileDescriptor.open(FilePath($0), .writeOnly, options: [.create], permissions: .ownerReadWrite)
        }
        let words = prefix + [FleetFixture.executable] + arguments
        let result = try await Subprocess.run(
            prefix.first.map { .name($0) } ?? .path(FilePath(FleetFixture.executable)),
            arguments: Arguments(Array(words.dropFirst())), environment: environment, input: .none,
            output: .fileDescriptor(files[0], closeAfterSpawningProcess: true),
            error: .fileDescriptor(files[1], closeAfterSpawningProcess: true)
        ) { execution in
            let process = pid_t(execution.processIdentifier.value)
            do {
                try await body(process)
            } catch {
                kill(process, SIGKILL)
                throw error
            }
        }
        return Outcome(
            code: result.terminationStatus.exitCode, output: try String(contentsOfFile: output, encoding: .utf8),
            errors: try String(contentsOfFile: output + ".errors", encoding: .utf8))
    }

    /// The server processes of a host's connections, found below its listener.
    func sessions(of host: LabHost) async throws -> [pid_t] {
        let listener = try String(contentsOfFile: host.root + "/sshd/sshd.pid", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let record = try await Subprocess.run(
            .name("pgrep"), arguments: ["-P", listener], output: .string(limit: 65_536), error: .discarded)
        return record.standardOutput.split(separator: "\n").compactMap { pid_t($0) }
    }
}
