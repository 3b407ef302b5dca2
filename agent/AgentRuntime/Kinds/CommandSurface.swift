import AgentProtocol
import UpgradeDomain

/// A command as evidence: its exit code, its output and which script answered.
enum CommandSurface {
    static func answer(_ command: ScriptCommand, _ setting: CaptureSetting) -> SurfaceAnswer {
        let redactor = Redactor(setting.secrets.lines)
        let taken = CommandCapture.run(
            CommandSetting(command, hostDirectory: setting.workingDirectory),
            limitBytes: ProtocolLimits.surfaceBytes + redactor.longestBytes, vouches: true,
            errorBytes: ProtocolLimits.surfaceErrorBytes + redactor.longestBytes, isWanted: setting.isWanted)
        // A command that was killed may have been in the middle of writing a secret.
        let isEnded = taken.end == nil
        let output = redactor.redacted(taken.output, isCut: taken.isTruncated || isEnded)
        let errors = redactor.redacted(taken.errors, isCut: isEnded, beginsCut: taken.errorsBeginCut)
        var answer = SurfaceAnswer(
            body: Array(output.prefix(ProtocolLimits.surfaceBytes)),
            isTruncated: taken.isTruncated || output.count > ProtocolLimits.surfaceBytes,
            errors: Array(errors.suffix(ProtocolLimits.surfaceErrorBytes)), instrumentDigest: taken.instrumentDigest,
            failure: taken.failure)
        if let failure = setting.secrets.failure {
            (answer.body, answer.errors) = ([], [])
            answer.failure = UnknownReason(failure.code, "the output is withheld: \(failure.detail)")
        }
        switch taken.end {
        case .exited(let code): answer.resultCode = code
        case .signaled(let signal):
            answer.failure = answer.failure ?? UnknownReason(.notRun, "the command was ended by signal \(signal)")
        case nil: break
        }
        return answer
    }
}
