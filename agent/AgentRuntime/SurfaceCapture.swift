import AgentProtocol
import ContentDigest
import UpgradeDomain

/// Takes surfaces one after the other, each within its own bounds.
enum SurfaceCapture {
    static func take(_ surface: SurfaceRequest, workingDirectory: String, isWanted: @escaping () -> Bool)
        -> SurfaceReply
    {
        let begun = ContinuousClock.now
        var reply = SurfaceReply(
            name: surface.name, durationMilliseconds: 0, hostTime: .now, resultCode: nil, body: Bytes([]),
            truncated: false)
        switch surface.source {
        case .http(let source):
            let answer = HTTPCapture.run(source, workingDirectory: workingDirectory, isWanted: isWanted)
            reply.resultCode = answer.status
            reply.body = Bytes(answer.body)
            reply.truncated = answer.isTruncated
            reply.contentType = answer.contentType
            reply.failure = answer.failure
        case .command(let command):
            let setting = CommandSetting(command, hostDirectory: workingDirectory)
            reply.instrumentDigest = Digest.ofFile(setting.script, limitBytes: Int64(AgentLimits.scriptBytes))
            let answer = CommandCapture.run(setting, isWanted: isWanted)
            reply.body = Bytes(answer.output)
            reply.truncated = answer.isTruncated
            reply.failure = answer.failure
            switch answer.end {
            case .exited(let code): reply.resultCode = code
            case .signaled(let signal):
                reply.failure = reply.failure ?? UnknownReason(.notRun, "the command was ended by signal \(signal)")
            case nil: break
            }
        case .runtime(let source):
            let items = RuntimeCapture(source, workingDirectory: workingDirectory, isWanted: isWanted).items()
            do {
                reply.body = Bytes(try Folder.json(items))
                reply.resultCode = 0
            } catch {
                reply.failure = UnknownReason(.notRun, "\(error)")
            }
        }
        reply.hostTime = .now
        reply.durationMilliseconds = begun.duration(to: ContinuousClock.now).wholeMilliseconds
        return reply
    }
}
