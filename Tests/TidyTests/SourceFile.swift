import Foundation

/// One file of the repository, as the rules see it.
struct SourceFile: Sendable {
    /// Relative to the repository's root.
    let path: String
    let text: String
    /// The text's lines; in Swift files, comments and the contents of string literals are blanked, so a rule about code
    /// is never triggered by words.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        let readable = path.hasSuffix(".swift") ? SwiftCode.blankingWords(in: text) : text
        code = readable.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    var isSwift: Bool { path.hasSuffix(".swift") }
    var isPage: Bool { path.hasSuffix(".md") }

    func isIn(_ folders: [String]) -> Bool { folders.contains { path.hasPrefix($0 + "/") } }

    /// The lines of code with one of these words, and their indices: a regular expression takes a hundred times longer
    /// per line than this does.
    func lines(withAnyOf words: [String]) -> [(offset: Int, element: String)] {
        code.enumerated().filter { $0.element.contains(anyOf: words) }
    }

    /// A violation for every line of code that the expression matches.
    ///
    /// Words end at the first non-word character: by Unicode's rules `Clock.now` would be one word.
    /// - Parameter words: every line that can match contains one of them; empty to check all lines.
    func violations<Output>(
        _ expression: @autoclosure () -> Regex<Output>, in words: [String] = [], _ problem: String
    ) -> [Violation] {
        let lines = words.isEmpty ? Array(code.enumerated()) : lines(withAnyOf: words)
        // To make the expression takes longer than to find that a file has none of the words.
        if lines.isEmpty { return [] }
        let expression = expression().wordBoundaryKind(.simple)
        return lines.compactMap { index, line in
            line.contains(expression) ? Violation(path: path, line: index + 1, problem: problem) : nil
        }
    }
}

extension String {
    /// Whether it contains one of the words, compared byte by byte.
    func contains(anyOf words: [String]) -> Bool { words.contains { strstr(self, $0) != nil } }
}

/// A violation that a rule found, at the place to change.
struct Violation: Hashable, Sendable, CustomStringConvertible {
    let path: String
    let line: Int
    let problem: String

    var description: String { "\(path):\(line): \(problem)" }
}

/// The repository's files without build output.
struct SourceTree: Sendable {
    let root: URL
    let files: [SourceFile]

    static let shared = Result { try SourceTree() }

    private static let readExtensions: Set = ["swift", "md", "sh", "py", "c", "h", "yml", "yaml", "json", "modulemap"]
    private static let readNames: Set = ["Makefile", "LICENSE", ".gitignore", ".swift-format", "run"]
    private static let skippedFolders: Set = [".git", ".swiftpm", ".lockflight", ".work", "__pycache__"]

    private init() throws {
        root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        var files: [SourceFile] = []
        var folders = [""]
        while let folder = folders.popLast() {
            for name in try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path).sorted()
            {
                let path = folder.isEmpty ? name : "\(folder)/\(name)"
                let url = root.appending(path: path)
                var isFolder: ObjCBool = false
                guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { continue }
                if isFolder.boolValue {
                    let isSkipped = name.hasPrefix(".build") || SourceTree.skippedFolders.contains(name)
                    if !isSkipped { folders.append(path) }
                } else if SourceTree.readExtensions.contains(url.pathExtension) || SourceTree.readNames.contains(name) {
                    files.append(SourceFile(path: path, text: try String(contentsOf: url, encoding: .utf8)))
                }
            }
        }
        self.files = files
    }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: root.appending(path: path).path) }

    func file(_ path: String) throws(MissingFile) -> SourceFile {
        guard let file = files.first(where: { $0.path == path }) else { throw MissingFile(path: path) }
        return file
    }
}

/// An error for a required file that is missing.
struct MissingFile: Error, CustomStringConvertible {
    let path: String

    var description: String { "there is no \(path)" }
}
