import AgentProtocol
import ContentDigest
import Glibc
import SafeText
import UpgradeDomain

/// The files of a release: a file in `sha256sum` format, with a digest and a name on each line.
struct ReleaseManifest {
    /// The folder that really contains the manifest, with symbolic links resolved.
    let folder: String
    /// The SHA-256 of the manifest itself.
    let digest: Digest
    /// Absolute path -> the digest that the file should have.
    let digests: [String: Digest]

    init(path: String) throws(UnknownReason) {
        guard let real = SystemFile.realPath(path) else {
            throw UnknownReason(.notRun, "\(path) can not be found: \(systemErrorText(errno))")
        }
        let file = Folder(path: real)
        let folder = file.parent
        let bytes: [UInt8]
        do {
            bytes = try folder.read(file.name, limitBytes: AgentLimits.manifestBytes) ?? []
        } catch {
            throw UnknownReason(.notRun, error.message)
        }
        self.folder = folder.path
        // The digest of exactly the bytes that are parsed below, in case the file changes meanwhile.
        digest = Digest.sha256(of: bytes)
        digests = try ReleaseManifest.parse(String(decoding: bytes, as: UTF8.self), folder: folder.path)
    }

    /// Reads `sha256sum` output: 64 digits, a space, a space or `*`, and the name. If a line begins with a backslash,
    /// its name is escaped (sha256sum(1)).
    static func parse(_ text: String, folder: String) throws(UnknownReason) -> [String: Digest] {
        var digests: [String: Digest] = [:]
        for (index, line) in text.lines.enumerated() where !line.isEmpty {
            let isEscaped = line.utf8.first == UInt8(ascii: "\\")
            let body = isEscaped ? line.utf8.dropFirst() : line.utf8[...]
            let rest = body.dropFirst(64)
            guard body.prefix(64).count == 64, let digest = Digest(hexadecimal: Substring(body.prefix(64))),
                rest.count > 2, rest.first == UInt8(ascii: " "),
                [UInt8(ascii: " "), UInt8(ascii: "*")].contains(rest.dropFirst().first)
            else { throw UnknownReason(.unparsable, "line \(index + 1) of the manifest is not in sha256sum format") }
            let written = Substring(rest.dropFirst(2))
            let name = isEscaped ? unescaped(written) : String(written)
            let path = absolutePath(name, in: folder)
            guard digests.updateValue(digest, forKey: path) == nil else {
                throw UnknownReason(.contradictory, "line \(index + 1) of the manifest lists \(name) a second time")
            }
        }
        guard !digests.isEmpty else { throw UnknownReason(.noItems, "the manifest lists no file") }
        guard digests.count <= AgentLimits.manifestFiles else {
            throw UnknownReason(.truncated, "\(counted(digests.count, "file")), more than \(AgentLimits.manifestFiles)")
        }
        return digests
    }

    private static func unescaped(_ name: Substring) -> String {
        var result: [UInt8] = []
        var isAfterBackslash = false
        for byte in name.utf8 {
            if isAfterBackslash {
                result.append(byte == UInt8(ascii: "n") ? 0x0a : byte == UInt8(ascii: "r") ? 0x0d : byte)
                isAfterBackslash = false
            } else if byte == UInt8(ascii: "\\") {
                isAfterBackslash = true
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Whether every file matches the manifest.
    func files(isWanted: () -> Bool) -> EvidenceItem {
        for (path, wanted) in digests.sorted(by: { $0.key < $1.key }) {
            guard isWanted() else { return .unknown(.files, "no time was left to read them all") }
            errno = 0
            guard let found = Digest.ofFile(path) else {
                let cause = errno
                return cause == ENOENT
                    ? .fails(.files, "\(name(of: path)) is missing")
                    : .unknown(.files, "\(name(of: path)) can not be read: \(systemErrorText(cause))")
            }
            if found != wanted { return .fails(.files, "\(name(of: path)) does not match the manifest") }
        }
        let count = digests.count
        return .holds(.files, "\(count) as the manifest says")
    }

    /// The name of a path in the manifest.
    func name(of path: String) -> String {
        path.rest(after: folder + "/").map { String($0) } ?? path
    }
}

extension Digest {
    /// 64 hexadecimal digits.
    fileprivate init?(hexadecimal digits: Substring) {
        let isHexadecimal = digits.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
            default: false
            }
        }
        guard isHexadecimal, digits.utf8.count == 64 else { return nil }
        self.init("sha256:" + String(digits).lowercasedASCII)
    }
}
