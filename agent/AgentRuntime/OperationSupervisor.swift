import AgentProtocol
import ContentDigest
import Failpoints
import Glibc
import UpgradeDomain

/// Carries out one operation, detached from every session: guardrails, script, record.
///
/// It holds the mutation lock as descriptor 3 while it is alive. If it dies, at any line of this code, the lock is free
/// and there is no record: the next session that checks reports *interrupted*.
struct OperationSupervisor {
    private let state: StateFolder
    private let folder: Folder
    private let journaled: JournaledIntent
    private let output: OutputFile
    private let outputDescriptor: Int32
    /// Bytes cut off the end of the output; 0 if the file system can drop its middle.
    private var cutBytes: Int64 = 0
    /// The content of the secret files before anything ran: the operation may change them.
    private let secretsAtBegin: HostSecrets.Values

    /// - Parameter path: the operation's folder, created by ``OperationJournal/record(_:)``.
    init(state: StateFolder, path: String) throws(Refusal) {
        self.state = state
        folder = Folder(path: path, disk: state.folder.disk)
        guard let journaled = try folder.value(JournaledIntent.self, of: "intent.json") else {
            throw Refusal(.unknownOperation, "there is no intent in \(path)")
        }
        self.journaled = journaled
        secretsAtBegin = HostSecrets.Values(in: journaled.request.secretFiles ?? [])
        output = OutputFile(in: folder)
        outputDescriptor = try output.openForAppending()
    }

    /// Makes sure that the end of the session which started it does not end this process.
    func leaveSession() {
        switch SystemdScope.enter(describedAs: "Lockflight operation \(journaled.request.intent.id)") {
        case .own, .notOffered: break
        case .shared(let reason):
            note("systemd holds this operation in the session that started it, and ends both together: \(reason)")
        }
    }

    /// Adds a line from Lockflight itself to the output.
    private func note(_ text: String) { _ = writeAll(outputDescriptor, Array("lockflight: \(text)\n".utf8)) }

    /// Runs the operation to its record and, if its intent requires one, waits for a confirmation.
    mutating func run() throws(Refusal) {
        Failpoint.supervisorBegan.pass()
        let begun = ContinuousClock.now
        var record = OperationRecord(
            id: journaled.request.intent.id, outcome: .notStarted(detail: ""), startedAt: journaled.begunAt)
        var supervision = Supervision(journaled.request)
        var action = supervision.begin()
        while true {
            switch action {
            case .runGuardrail(let guardrail):
                action = supervise(&supervision) { (own) throws(Refusal) in try own.runGuardrail(guardrail) }
            case .runCommand:
                action = supervise(&supervision) { (own) throws(Refusal) in try own.runCommand(&record) }
            case .record(let outcome):
                Failpoint.scriptEnded.pass()
                record.outcome = outcome
                dropExcess(slackBytes: 0)
                record.durationMilliseconds = begun.duration(to: ContinuousClock.now).wholeMilliseconds
                if let files = journaled.request.secretFiles {
                    output.mask(secretsIn: files, known: secretsAtBegin, isCut: cutBytes > 0)
                }
                if cutBytes > 0 { output.noteCut() }
                output.describe(in: &record, cutBytes: cutBytes)
                try OperationJournal(state: state).concludeSupervised(record, of: journaled)
                Failpoint.recordWritten.pass()
                action = supervision.recorded()
            case .awaitConfirmation(let revert):
                try awaitConfirmation(revert)
                return
            case .leave: return
            }
        }
    }

    private mutating func supervise(
        _ supervision: inout Supervision, _ execute: (inout OperationSupervisor) throws(Refusal) -> OperationOutcome
    ) -> Supervision.Action {
        do {
            return supervision.ended(try execute(&self))
        } catch {
            return supervision.failed(clipped(error.message))
        }
    }

    private mutating func runGuardrail(_ guardrail: ScriptCommand) throws(Refusal) -> OperationOutcome {
        var setting = setting(of: guardrail)
        let copy = try place(guardrail, &setting)
        defer { copy?.remove() }
        var instrument: Instrument?
        let outcome = try execute(setting) { instrument = $0 }
        if outcome == .exited(code: 0), instrument?.isReplaced == true {
            let words =
                "guardrail \(setting.script) was replaced or touched while it ran, so its verdict can not be trusted"
            note(words)
            return .notStarted(detail: words)
        }
        return outcome
    }

    private mutating func runCommand(_ record: inout OperationRecord) throws(Refusal) -> OperationOutcome {
        let request = journaled.request
        var setting = setting(of: request.command)
        let kept = KeptFiles(state: state, run: request.run)
        // After a step, nothing at the script's path counts as a repair.
        if !request.usesPreservedScript { kept.forgetFailures() }
        let inPlace = try kept.scriptInPlace(of: request.command, in: request.workingDirectory)
        let copy: PlacedCopy?
        do {
            copy = try place(request.command, &setting)
        } catch {
            // If someone repairs the script at its path, the repaired one is used.
            if let inPlace { try? kept.noteFailure(of: inPlace) }
            throw error
        }
        defer { copy?.remove() }
        var isReplaced = false
        let outcome = try execute(setting) { instrument in
            record.scriptDigest = instrument.digest
            // Later on it may replace itself.
            isReplaced = instrument.isReplaced
        }
        if isReplaced {
            record.scriptReplaced = true
            note(
                "\(setting.script) was replaced or touched while it was started: "
                    + "the file that ran may differ from the digested one")
        }
        if let copy, copy.hasVanished {
            record.copyVanished = true
            note("the kept copy of what the change replaced was removed while it ran")
        } else if request.usesPreservedScript, outcome.isOwnFailure, let inPlace {
            try kept.noteFailure(of: inPlace)
        }
        return outcome
    }

    /// Places what a rollback command needs at the path where it is looked for, if the change replaced or removed it.
    private func place(_ command: ScriptCommand, _ setting: inout CommandSetting) throws(Refusal) -> PlacedCopy? {
        let request = journaled.request
        guard request.usesPreservedScript else { return nil }
        let kept = KeptFiles(state: state, run: request.run)
        switch try kept.need(of: command, in: request.workingDirectory) {
        case .nothing: return nil
        case .notKept(let script):
            note("no copy of \(script) was kept before the change; the present file runs")
            return nil
        case .repaired(let script):
            note("\(script) was changed after it had failed, and runs as it is now")
            return nil
        case .placed(let changed, let word, let script, let roots):
            let copy = try PlacedCopy(roots, of: kept, in: folder)
            do {
                try copy.redirect(
                    &setting, command, word: word, script: script, changed: changed, in: request.workingDirectory)
            } catch {
                copy.remove()
                throw error
            }
            note("\(changed) has changed since the run began; a copy from before the change runs: \(copy.paths)")
            return copy
        }
    }

    // MARK: Confirm or revert

    /// Waits until the change is confirmed. Otherwise rolls the host back, with or without a connection.
    private func awaitConfirmation(_ revert: RevertIntent) throws(Refusal) {
        let journal = OperationJournal(state: state)
        let deadline = Deadline(after: .seconds(revert.withinSeconds))
        while !folder.contains("decision.json") {
            guard deadline.hasPassed else {
                pauseBeforeNextLook()
                continue
            }
            do {
                try journal.beginRevert(of: journaled)
            } catch {
                // For example, on a full disk: a confirmation may still come, and space may be freed.
                pause(AgentLimits.revertRetry)
            }
        }
        guard try journal.decision(on: journaled.request.intent.id) == .reverting else { return }
        Failpoint.revertDecided.pass()
        var supervisor = try OperationSupervisor(state: state, path: journal.folder(of: revert.id).path)
        try supervisor.run()
    }

    // MARK: Processes

    private func setting(of command: ScriptCommand) -> CommandSetting {
        let request = journaled.request
        let additions = [
            "LOCKFLIGHT_RUN": request.run.rawValue, "LOCKFLIGHT_OPERATION": request.intent.id.rawValue,
        ]
        return CommandSetting(command, hostDirectory: request.workingDirectory, additions: additions)
    }

    /// Runs one command to its end or deadline. It cannot execute before its process is in the journal.
    ///
    /// - Parameter began: called right after the start, with the script as it was right before it.
    private mutating func execute(
        _ setting: CommandSetting, began: (Instrument) -> Void
    ) throws(Refusal) -> OperationOutcome {
        guard let executable = setting.executable else {
            return .notStarted(detail: clipped("\(setting.arguments[0]) is not in PATH on the host"))
        }
        let child = try ChildProcess(
            executable: executable, arguments: setting.arguments, environment: setting.environment,
            workingDirectory: setting.workingDirectory, output: outputDescriptor)
        do {
            try folder.writeJSON(
                "process.json", JournaledProcesses(bootID: state.machine.bootID, script: child.identity))
        } catch {
            child.abandon()
            throw error
        }
        Failpoint.scriptJournaled.pass()
        let instrument = Instrument(of: setting.script)
        let failure = child.release()
        began(instrument)
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
            dropExcess(slackBytes: AgentLimits.outputSlackBytes)
            switch end {
            case .exited(let code): return .exited(code: code)
            case .signaled(let signal): return .signaled(signal: signal)
            case nil where deadline.hasPassed: return .timedOut(survivors: child.endGroup(alreadyEnded: false))
            case nil: continue
            }
        }
    }

    private mutating func dropExcess(slackBytes: Int64) {
        cutBytes += output.dropExcess(outputDescriptor, slackBytes: slackBytes, cutsEnd: cutBytes > 0)
    }

    private func clipped(_ text: String) -> String { String(text.prefix(AgentLimits.detailCharacters)) }
}

extension OperationOutcome {
    /// The script ran to its own end, and failed.
    fileprivate var isOwnFailure: Bool {
        switch self {
        case .exited(let code): code != 0
        case .signaled, .timedOut: true
        case .interrupted, .rebooted, .guardrailRefused, .notStarted: false
        }
    }
}
