import AgentProtocol
import UpgradeDomain

/// Captures surfaces one after the other, each within its own limits. How a kind is read is in a file of its own.
enum SurfaceCapture {
    /// - Parameter version: the protocol version in use.
    static func take(_ surface: SurfaceRequest, _ setting: CaptureSetting, speaking version: Int) -> SurfaceReply {
        let begun = ContinuousClock.now
        let answer = answer(surface.source, setting)
        return SurfaceReply(
            name: surface.name, durationMilliseconds: begun.duration(to: ContinuousClock.now).wholeMilliseconds,
            hostTime: .now, resultCode: answer.resultCode, body: Bytes(answer.body), truncated: answer.isTruncated,
            errors: answer.errors.isEmpty || version < 3 ? nil : Bytes(answer.errors), contentType: answer.contentType,
            instrumentDigest: answer.instrumentDigest, failure: answer.failure)
    }

    private static func answer(_ source: SurfaceSource, _ setting: CaptureSetting) -> SurfaceAnswer {
        switch source {
        case .http(let http): HTTPCapture.answer(http, setting)
        case .command(let command): CommandSurface.answer(command, setting)
        case .tcp(let tcp) where tcp.tls == nil: TCPCapture.answer(tcp, setting)
        case .tcp(let tcp): TLSCapture.answer(tcp, setting)
        case .unit(let unit): UnitCapture.answer(unit, setting)
        case .container(let container): ContainerCapture.answer(container, setting)
        case .runtime(let runtime): RuntimeCapture.answer(runtime, setting)
        }
    }
}
