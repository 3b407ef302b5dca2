import AgentProtocol
import ContentDigest
import UpgradeDomain

/// Captures surfaces one after the other, each within its own limits.
enum SurfaceCapture {
    /// - Parameters:
    ///   - secrets: secrets of the plan; masked in everything that is reported.
    ///   - version: the protocol version in use.
    static func take(
        _ surface: SurfaceRequest, workingDirectory: String, hiding secrets: HostSecrets.Values, speaking version: Int,
        isWanted: @escaping () -> Bool
    ) -> SurfaceReply {
        let begun = ContinuousClock.now
        var reply = SurfaceReply(
            name: surface.name, durationMilliseconds: 0, hostTime: .now, resultCode: nil, body: Bytes([]),
            truncated: false)
        switch surface.source {
        case .http(let source):
            let answer = HTTPCapture.run(
                source, workingDirectory: workingDirectory, hiding: secrets.lines, isWanted: isWanted)
            reply.resultCode = answer.status
            reply.body = Bytes(answer.body)
            reply.truncated = answer.isTruncated
            reply.contentType = answer.contentType
            reply.failure = answer.failure
        case .command(let command):
            let setting = CommandSetting(command, hostDirectory: workingDirectory)
            let redactor = Redactor(secrets.lines)
            let answer = CommandCapture.run(
                setting, limitBytes: ProtocolLimits.surfaceBytes + redactor.longestBytes, vouches: true,
                errorBytes: ProtocolLimits.surfaceErrorBytes + redactor.longestBytes, isWanted: isWanted)
            reply.instrumentDigest = answer.instrumentDigest
            // A command that was killed may have been in the middle of writing a secret.
            let isEnded = answer.end == nil
            let output = redactor.redacted(answer.output, isCut: answer.isTruncated || isEnded)
            reply.body = Bytes(Array(output.prefix(ProtocolLimits.surfaceBytes)))
            reply.truncated = answer.isTruncated || output.count > ProtocolLimits.surfaceBytes
            let errors = redactor.redacted(answer.errors, isCut: isEnded, beginsCut: answer.errorsBeginCut)
                .suffix(ProtocolLimits.surfaceErrorBytes)
            reply.errors = errors.isEmpty ? nil : Bytes(Array(errors))
            reply.failure = answer.failure
            if let failure = secrets.failure {
                reply.body = Bytes([])
                reply.errors = nil
                reply.failure = UnknownReason(failure.code, "the output is withheld: \(failure.detail)")
            }
            switch answer.end {
            case .exited(let code): reply.resultCode = code
            case .signaled(let signal):
                reply.failure = reply.failure ?? UnknownReason(.notRun, "the command was ended by signal \(signal)")
            case nil: break
            }
        case .tcp(let source):
            let answer = TCPCapture.run(source)
            let redactor = Redactor(secrets.lines)
            reply.resultCode = answer.resultCode
            reply.body = Bytes(redactor.redacted(answer.line, isCut: false))
            reply.failure = answer.failure
        case .runtime(let source):
            let items = RuntimeCapture(source, workingDirectory: workingDirectory, isWanted: isWanted).items()
            do {
                reply.body = Bytes(try Folder.json(items))
                reply.resultCode = 0
            } catch {
                reply.failure = UnknownReason(.notRun, "\(error)")
            }
        }
        if version < 3 { reply.errors = nil }
        reply.hostTime = .now
        reply.durationMilliseconds = begun.duration(to: ContinuousClock.now).wholeMilliseconds
        return reply
    }
}
