import ContentDigest
import Foundation
import SafeText
import Subprocess
import UpgradeDomain

/// The agent builds that this coordinator can upload to hosts, one per architecture.
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

    /// Where `make agent` puts its builds, if the executable is in a checkout's `.build`.
    private static func checkout(around folder: URL) -> String? {
        let parts = folder.pathComponents
        guard let build = parts.lastIndex(of: ".build") else { return nil }
        return NSString.path(withComponents: parts.prefix(build) + [".build-agent", "out"])
    }

    /// Every build, named `lockflight-agent-ARCHITECTURE`; if two folders have one, the first folder's is used.
    func find() -> [AgentBinary] {
        var builds: [AgentBinary] = []
        for folder in folders {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            for name in names.sorted() {
                guard let rest = name.rest(after: AgentBinaries.prefix) else { continue }
                let architecture = String(rest)
                let path = "\(folder)/\(name)"
                guard AgentBinary.isArchitecture(architecture),
                    !builds.contains(where: { $0.architecture == architecture }),
                    let build = AgentBinary(architecture: architecture, path: path)
                else { continue }
                builds.append(build)
            }
        }
        return builds
    }
}

/// One agent executable. On hosts its digest is part of its name.
struct AgentBinary: Sendable {
    /// The maximum size of an agent when it is sent.
    static let largestBytes = 256 * 1_024 * 1_024

    /// What `uname -m` prints on the hosts that it runs on.
    let architecture: String
    let path: String
    let hexDigest: String

    /// Nil if the file can not be read or is empty. Its bytes are read again only for a host that does not have them;
    /// that host verifies their digest.
    init?(architecture: String, path: String) {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard attributes?[.size] as? Int != 0, let digest = Digest.ofFile(path) else { return nil }
        self.architecture = architecture
        self.path = path
        hexDigest = digest.hexDigits
    }

    private static let architectureBytes = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_".utf8)

    /// Whether a word is safe unquoted in a shell's `case`.
    static func isArchitecture(_ word: String) -> Bool {
        !word.isEmpty && word.utf8.allSatisfy(architectureBytes.contains)
    }

    /// The bytes for a host without `gzip`; nil if the file is gone.
    func bytes() -> [UInt8]? { FileManager.default.contents(atPath: path).map { [UInt8]($0) } }

    /// The compressed bytes for a host with `gzip`: compressed together with the build, else now; nil if this machine
    /// has no `gzip`.
    func compressed() async -> [UInt8]? {
        if let packed = packedWithTheBuild() { return packed }
        let record = try? await Subprocess.run(
            .name("gzip"), arguments: ["-nc", path], output: .bytes(limit: AgentBinary.largestBytes))
        guard let record, record.terminationStatus.isSuccess else { return nil }
        return record.standardOutput
    }

    /// The file `NAME.gz` next to the build, because compressing takes over a second of CPU; nil if it is older than
    /// the build, or its uncompressed size differs. The host verifies the digest of what it receives.
    private func packedWithTheBuild() -> [UInt8]? {
        let packedPath = path + ".gz"
        guard let build = try? FileManager.default.attributesOfItem(atPath: path),
            let packed = try? FileManager.default.attributesOfItem(atPath: packedPath),
            let built = build[.modificationDate] as? Date, let packedAt = packed[.modificationDate] as? Date,
            packedAt >= built, let bytes = FileManager.default.contents(atPath: packedPath),
            bytes.count <= AgentBinary.largestBytes
        else { return nil }
        // RFC 1952, section 2.3.1: a member ends with the size of what was packed, little-endian, modulo 2^32.
        let size = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        return size == build[.size] as? Int ? [UInt8](bytes) : nil
    }
}

extension Digest {
    /// As `sha256sum` prints it.
    var hexDigits: String { String(rawValue.cut(at: ":")?.after ?? "") }
}
