import SafeText

/// What a release is made of, as whoever builds it lists it: each file and its SHA-256.
///
/// It is part of the plan, and so of its digest. Preflight compares it with the hosts.
package struct ReleaseManifest: Codable, Hashable, Sendable {
    package static let mostFiles = 4_096
    package static let totalBytes = 1_048_576
    /// The longest path: PATH_MAX of Linux, without the zero byte.
    package static let pathBytes = 4_095

    /// By their paths, relative to the layer's working directory, without `.` and `..`.
    package var files: [String: Digest]
    /// OpenSSH signatures over ``text``, each with its armour; empty for an unsigned one.
    package var signatures: [String]

    package init(files: [String: Digest], signatures: [String] = []) {
        self.files = files
        self.signatures = signatures
    }

    /// In the order of their bytes.
    package var paths: [String] { files.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

    /// The one way to write it, which is what is signed: a line of `sha256sum` in text mode for each file, by path.
    package var text: String {
        paths.map { "\(files[$0]?.rawValue.rest(after: "sha256:") ?? "")  \($0)\n" }.joined()
    }
}

/// What is wrong with the text of a manifest.
package struct ReleaseManifestProblem: Error, Hashable, Sendable {
    /// Of the manifest, from 1; nil for the whole.
    package var line: Int?
    package var message: String
    package var remedy: String
}

extension ReleaseManifest {
    /// Reads what `sha256sum` writes: 64 digits, a space, a space or `*`, and the name, in any order.
    ///
    /// - Throws: the first problem. A name that `sha256sum` escapes, or with a control character, is refused: it would be
    ///   another name to whoever does not know the escape.
    package init(reading text: String) throws(ReleaseManifestProblem) {
        guard text.utf8.count <= ReleaseManifest.totalBytes else {
            throw ReleaseManifestProblem(
                line: nil, message: "it has \(counted(text.utf8.count, "byte"))",
                remedy: "list fewer files: at most \(ReleaseManifest.totalBytes) bytes are read")
        }
        var files: [String: Digest] = [:]
        let lines = text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false)
        for (index, bytes) in lines.enumerated() where !bytes.isEmpty {
            let line = index + 1
            let entry = try ReleaseManifest.entry(Substring(bytes), line)
            guard files.updateValue(entry.digest, forKey: entry.path) == nil else {
                throw ReleaseManifestProblem(
                    line: line, message: "'\(entry.path)' is listed twice", remedy: "list each file once")
            }
            guard files.count <= ReleaseManifest.mostFiles else {
                throw ReleaseManifestProblem(
                    line: line, message: "it lists more than \(ReleaseManifest.mostFiles) files",
                    remedy: "list the files that are run or read, or an archive of the others")
            }
        }
        guard !files.isEmpty else {
            throw ReleaseManifestProblem(
                line: nil, message: "it lists no file", remedy: "write it with: sha256sum FILE... >MANIFEST")
        }
        self.init(files: files)
    }

    private static func entry(
        _ text: Substring, _ line: Int
    ) throws(ReleaseManifestProblem) -> (path: String, digest: Digest) {
        func refused(_ message: String, _ remedy: String) -> ReleaseManifestProblem {
            ReleaseManifestProblem(line: line, message: message, remedy: remedy)
        }
        if text.begins(with: "\\") {
            throw refused(
                "the name of a file is escaped", "leave out files with a line break or a backslash in their names")
        }
        let rest = text.utf8.dropFirst(64)
        let digest = Digest("sha256:\(String(Substring(text.utf8.prefix(64))).lowercasedASCII)")
        guard digest.isSHA256, rest.count > 2, rest.first == 0x20, [0x20, 0x2a].contains(rest.dropFirst().first) else {
            throw refused("it is not in sha256sum's format", "write it with: sha256sum FILE... >MANIFEST")
        }
        let name = Substring(rest.dropFirst(2))
        if name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f || $0.value == 0xfffd }) {
            throw refused(
                "the name of a file has a control character, or is not UTF-8",
                "rename the file; if each line ends with a carriage return, convert the manifest: sed -i 's/\\r$//' FILE"
            )
        }
        let parts = name.fields(separatedBy: "/").filter { !$0.isSpelled(".") }
        if name.begins(with: "/") || parts.contains(where: { $0.isSpelled("..") }) {
            throw refused(
                "'\(name)' may lie outside the working directory",
                "list files below the layer's working directory, relative to it, without '..'")
        }
        let path = parts.joined(separator: "/")
        guard (1...pathBytes).contains(path.utf8.count) else {
            throw refused(
                "the name of a file is empty or too long", "list files, by paths of at most \(pathBytes) bytes")
        }
        return (path, digest)
    }
}
