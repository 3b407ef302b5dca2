import ContentDigest
import Foundation
import Subprocess
import UpgradeDomain

/// The agent builds that this coordinator can bring to hosts, one per architecture.
struct AgentBinaries: Sendable {
    private static let prefix = "lockflight-agent-"

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

    /// Every build, named `lockflight-agent-ARCHITECTURE`, read once; where two folders have one, the first folder's.
    func read() -> [AgentBinary] {
        var builds: [AgentBinary] = []
        for folder in folders {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            for name in names.sorted() where name.hasPrefix(AgentBinaries.prefix) {
                let architecture = String(name.dropFirst(AgentBinaries.prefix.count))
                let path = "\(folder)/\(name)"
                guard AgentBinary.isArchitecture(architecture),
                    !builds.contains(where: { $0.architecture == architecture }),
                    let bytes = FileManager.default.contents(atPath: path), !bytes.isEmpty
                else { continue }
                builds.append(AgentBinary(architecture: architecture, path: path, bytes: [UInt8](bytes)))
            }
        }
        return builds
    }
}

/// One agent executable, named on hosts by its digest.
struct AgentBinary: Sendable {
    /// What `uname -m` prints on the hosts that it runs on.
    let architecture: String
    let path: String
    let bytes: [UInt8]
    let hexDigest: String

    init(architecture: String, path: String, bytes: [UInt8]) {
        self.architecture = architecture
        self.path = path
        self.bytes = bytes
        hexDigest = AgentBinary.hexDigest(of: bytes)
    }

    /// Whether a word may stand unquoted in a shell's `case`.
    static func isArchitecture(_ word: String) -> Bool {
        !word.isEmpty && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }

    /// SHA-256 as `sha256sum` prints it.
    static func hexDigest(of bytes: some Collection<UInt8>) -> String {
        String(Digest.sha256(of: Array(bytes)).rawValue.drop { $0 != ":" }.dropFirst())
    }

    /// The same for a host that has `gzip`; nil when this machine has none.
    func compressed() async -> [UInt8]? {
        let record = try? await Subprocess.run(
            .name("gzip"), arguments: ["-nc", path], output: .bytes(limit: bytes.count))
        guard let record, record.terminationStatus.isSuccess else { return nil }
        return record.standardOutput
    }
}
