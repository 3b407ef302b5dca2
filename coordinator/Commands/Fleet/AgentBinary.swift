import ContentDigest
import Foundation
import UpgradeDomain

/// The agent builds that this coordinator can bring to a host, one per architecture.
struct AgentBinaries: Sendable {
    /// `LOCKFLIGHT_AGENT_DIRECTORY`, then the folders where an installation or a build of the source keeps them.
    let folders: [String]

    static func standard(environment: [String: String], executable: String) -> AgentBinaries {
        let beside = URL(fileURLWithPath: executable).deletingLastPathComponent()
        let installed = beside.deletingLastPathComponent().appending(path: "libexec/lockflight").path
        let chosen = environment["LOCKFLIGHT_AGENT_DIRECTORY"].map { [$0] } ?? []
        return AgentBinaries(
            folders: chosen + [beside.path, installed] + [checkout(around: beside)].compactMap(\.self))
    }

    /// Where `make agent` puts its builds, if the executable lies in a checkout's `.build`.
    private static func checkout(around folder: URL) -> String? {
        let parts = folder.pathComponents
        guard let build = parts.lastIndex(of: ".build") else { return nil }
        return NSString.path(withComponents: parts.prefix(build) + [".build-agent", "out"])
    }

    /// The build for what `uname -m` prints on the host; nil when there is none.
    func binary(for architecture: String) -> AgentBinary? {
        for folder in folders {
            let path = "\(folder)/lockflight-agent-\(architecture)"
            if let bytes = FileManager.default.contents(atPath: path), !bytes.isEmpty {
                return AgentBinary(bytes: [UInt8](bytes))
            }
        }
        return nil
    }
}

/// One agent executable, named on hosts by its digest.
struct AgentBinary: Sendable {
    let bytes: [UInt8]
    let digest: Digest

    init(bytes: [UInt8]) {
        self.bytes = bytes
        digest = Digest.sha256(of: bytes)
    }

    /// The digest's hexadecimal digits.
    var hexDigest: String { String(digest.rawValue.drop { $0 != ":" }.dropFirst()) }
}
