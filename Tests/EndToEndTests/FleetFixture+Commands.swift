import Foundation
import LabFleet
import Subprocess
import SystemPackage
import TestSupport
import Testing

// MARK: Commands that run to their end

extension FleetFixture {
    /// A command that takes longer is ended and fails its test.
    static let commandLimit = Duration.seconds(600)
    static let outputBytes = 4_194_304

    /// - Parameter agents: the folder with the agents' builds; nil for those of this checkout.
    func run(_ arguments: [String], failpoint: String? = nil, agents: String? = nil) async throws -> Outcome {
        let variables: [Environment.Key: String?] = [
            "LOCKFLIGHT_FAILPOINT": failpoint ?? "", "LOCKFLIGHT_AGENT_DIRECTORY": agents ?? self.agents,
        ]
        return try await execute([FleetFixture.executable] + arguments, environment.updating(variables))
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
    func runVerbatim(_ line: String) async throws -> Outcome { try await execute(["sh", "-c", line], environment) }

    /// Runs a command with the agents of a folder, and measures the peak resident memory of the command or of a child
    /// that it waited for.
    func runMeasured(
        _ arguments: [String], agents: String
    ) async throws -> (outcome: Outcome, peakMebibytes: Int) {
        let peak = "\(folder)/peak-\(UUID().uuidString)"
        let measuring = """
            import resource, subprocess, sys
            code = subprocess.run(sys.argv[2:]).returncode
            kibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            open(sys.argv[1], "w").write(str(kibibytes // 1024))
            sys.exit(code)
            """
        let outcome = try await execute(
            ["python3", "-c", measuring, peak, FleetFixture.executable] + arguments,
            environment.updating(["LOCKFLIGHT_AGENT_DIRECTORY": agents]))
        return (outcome, Int((try? String(contentsOfFile: peak, encoding: .utf8)) ?? "") ?? 0)
    }

    /// Runs a command on its own terminal; once it asks, types an answer, or kills it if there is none.
    ///
    /// - Parameters:
    ///   - question: the words to wait for.
    ///   - line: a shell command that runs to its end between the question and the answer.
    func runOnTerminal(
        _ arguments: [String], whenAsked question: String, after line: String = "", type answer: String?,
        variables: [Environment.Key: String?] = [:]
    ) async throws -> Outcome {
        let terminal = """
            import os, pty, signal, subprocess, sys
            question, line, answer, *command = sys.argv[1:]
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
                    subprocess.run(["sh", "-c", line], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    if answer:
                        os.write(master, answer.encode() + b"\\n")
                    else:
                        os.kill(process, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            sys.stdout.buffer.write(seen)
            sys.exit(code if code >= 0 else 128 - code)
            """
        return try await execute(
            ["python3", "-c", terminal, question, line, answer ?? "", FleetFixture.executable] + arguments,
            environment.updating(["SSH_AUTH_SOCK": nil, "TMPDIR": folder]).updating(variables))
    }

    /// Runs a program to its end; after its time limit, ends it with everything that it started.
    ///
    /// - Throws: ``NotInTime``, or the error that prevented its start.
    func execute(_ words: [String], _ environment: Environment) async throws -> Outcome {
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        let name = words[0]
        let (arguments, platform) = (Arguments(Array(words.dropFirst())), options)
        return try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                let record = try await Subprocess.run(
                    name.contains("/") ? .path(FilePath(name)) : .name(name), arguments: arguments,
                    environment: environment, platformOptions: platform,
                    output: .string(limit: FleetFixture.outputBytes), error: .string(limit: FleetFixture.outputBytes))
                return Outcome(
                    code: record.terminationStatus.exitCode, output: record.standardOutput,
                    errors: record.standardError)
            }
            group.addTask {
                var limit = TimeLimit(FleetFixture.commandLimit)
                while !limit.hasPassed() { try await Task.sleep(for: limit.remaining) }
                throw NotInTime(words.joined(separator: " "), limit)
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let outcome = first else { throw CancellationError() }
            return outcome
        }
    }
}

extension TerminationStatus {
    /// As a shell reports it: the exit code, or 128 plus the signal.
    var exitCode: Int32 {
        switch self {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    }
}

// MARK: Commands in the background, and the processes of hosts

extension FleetFixture {
    /// Runs a command, with a prefix if there is one, while the body acts on the process; returns how
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

    /// Suspends a coordinator between two writes: during a write it would lock the ledger for everybody.
    func suspend(_ process: pid_t) async throws {
        let write = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        try await wait(for: "a moment without a write") {
            kill(process, SIGSTOP)
            let probe = try await Subprocess.run(
                .name("python3"), arguments: ["-c", write, "\(folder)/ledger.sqlite"], output: .discarded,
                error: .discarded)
            if probe.terminationStatus.isSuccess { return true }
            kill(process, SIGCONT)
            return false
        }
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
