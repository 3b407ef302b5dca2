import AgentProtocol
import Glibc
import UpgradeDomain

/// Carries one operation out, detached from every session: guardrails, script, record.
///
/// It holds the mutation lock as descriptor 3 for as long as it lives. If it dies here, at any line, the lock is free
/// and no record is there: the next session that looks reports *interrupted*.
struct OperationSupervisor {
    private let state: StateFolder
    private let folder: Folder
    private let journaled: JournaledIntent
    private let output: OutputFile
    private let outputDescriptor: Int32
    private var droppedBytes: Int64 = 0

    /// - Parameter path: the operation's folder, made by ``OperationJournal/record(_:)``.
    init(state: StateFolder, path: String) throws(Refusal) {
        self.state = state
        folder = Folder(path: path)
        guard let journaled = try folder.value(JournaledIntent.self, of: "intent.json") else {
            throw Refusal(.unknownOperation, "there is no intent in \(path)")
        }
        self.journaled = journaled
        output = OutputFile(path: folder.path(of: OutputFile.name))
        outputDescriptor = try output.openForAppending()
    }

    /// Runs the operation and writes its record.
    mutating func run() throws(Refusal) {
        let begun = ContinuousClock.now
        var record = OperationRecord(
            id: journaled.request.intent.id, outcome: .notStarted(detail: ""), startedAt: journaled.begunAt)
        do {
            try carryOut(&record)
        } catch {
            record.outcome = .notStarted(detail: clipped(error.message))
        }
        droppedBytes += output.dropExcess(outputDescriptor, slackBytes: 0)
        record.durationMilliseconds = begun.duration(to: ContinuousClock.now).wholeMilliseconds
        output.describe(in: &record, droppedBytes: droppedBytes)
        try OperationJournal(state: state).conclude(record)
    }

    private mutating func carryOut(_ record: inout OperationRecord) throws(Refusal) {
        let request = journaled.request
        for guardrail in request.guardrails {
            let outcome = try execute(setting(of: guardrail))
            guard outcome != .exited(code: 0) else { continue }
            record.outcome = .guardrailRefused(
                guardrail: clipped(guardrail.scriptPath), code: OperationSupervisor.exitCode(of: outcome))
            return
        }
        var setting = setting(of: request.command)
        if request.usesPreservedScript {
            let preserved = PreservedScripts(state: state, run: request.run)
            if let note = try preserved.substitute(in: &setting, word: request.command.scriptPath) {
                _ = writeAll(outputDescriptor, Array("lockflight: \(note)\n".utf8))
            }
        }
        record.scriptDigest = Digest.ofFile(setting.script, limitBytes: Int64(AgentLimits.scriptBytes))
        record.outcome = try execute(setting)
    }

    private func setting(of command: ScriptCommand) -> CommandSetting {
        let request = journaled.request
        return CommandSetting(
            command, hostDirectory: request.workingDirectory,
            additions: [
                "LOCKFLIGHT_RUN": request.run.rawValue, "LOCKFLIGHT_OPERATION": request.intent.id.rawValue,
            ])
    }

    /// Runs one command to its end or deadline. It can not execute before its process is in the journal.
    private mutating func execute(_ setting: CommandSetting) throws(Refusal) -> OperationOutcome {
        guard let executable = setting.executable else {
            return .notStarted(detail: clipped("\(setting.arguments[0]) is not in PATH on the host"))
        }
        let child = try ChildProcess(
            executable: executable, arguments: setting.arguments, environment: setting.environment,
            workingDirectory: setting.workingDirectory, output: outputDescriptor)
        do {
            try folder.writeJSON("process.json", JournaledProcesses(bootID: state.bootID(), script: child.identity))
        } catch {
            child.abandon()
            throw error
        }
        let failure = child.release()
        guard failure == 0 else {
            _ = child.wait(atMost: AgentLimits.killGrace)
            return .notStarted(
                detail: clipped(
                    "\(executable) can not run in \(setting.workingDirectory): \(systemErrorText(failure))"))
        }
        let deadline = Deadline(after: setting.timeout)
        while true {
            let step = Duration.milliseconds(deadline.remainingMilliseconds(atMost: AgentLimits.pollInterval))
            let end = child.wait(atMost: step)
            droppedBytes += output.dropExcess(outputDescriptor, slackBytes: AgentLimits.outputSlackBytes)
            switch end {
            case .exited(let code): return .exited(code: code)
            case .signaled(let signal): return .signaled(signal: signal)
            case nil where deadline.hasPassed: return .timedOut(survivors: child.endGroup(alreadyEnded: false))
            case nil: continue
            }
        }
    }

    /// A guardrail's end as a shell would number it.
    private static func exitCode(of outcome: OperationOutcome) -> Int {
        switch outcome {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        case .timedOut: 124
        case .interrupted, .guardrailRefused, .notStarted: 127
        }
    }

    private func clipped(_ text: String) -> String { String(text.prefix(AgentLimits.detailCharacters)) }
}
