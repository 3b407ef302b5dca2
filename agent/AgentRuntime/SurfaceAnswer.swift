import AgentProtocol
import ContentDigest
import UpgradeDomain

/// What a surface of any kind answers, or why it does not.
struct SurfaceAnswer {
    var resultCode: Int?
    var body: [UInt8] = []
    var isTruncated = false
    var contentType: String?
    /// The last bytes of a command's standard error.
    var errors: [UInt8] = []
    var instrumentDigest: Digest?
    var failure: UnknownReason?

    static func failed(_ code: UnknownReason.Code, _ detail: String) -> SurfaceAnswer {
        SurfaceAnswer(failure: UnknownReason(code, String(detail.prefix(AgentLimits.detailCharacters))))
    }

    /// A document that the agent makes itself.
    static func document(_ value: some Encodable) -> SurfaceAnswer {
        do {
            return SurfaceAnswer(resultCode: 0, body: try Folder.json(value))
        } catch {
            return .failed(.notRun, "\(error)")
        }
    }
}

/// Where surfaces are read, and what must not leave the host.
struct CaptureSetting {
    let workingDirectory: String
    /// Secrets of the plan; masked in everything that is reported.
    let secrets: HostSecrets.Values
    let isWanted: () -> Bool
}
