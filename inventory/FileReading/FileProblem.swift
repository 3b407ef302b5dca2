/// A problem in a file: its line, and what to write instead.
package struct FileProblem: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    /// The line number, from 1; 0 if the file has no lines that mean something, as JSON.
    package var line: Int
    /// What is wrong.
    package var message: String
    /// What to write instead.
    package var remedy: String

    /// How much of a message is kept: what it quotes of the file may be megabytes.
    package static let messageBytes = 1_000

    package init(file: String, line: Int, message: String, remedy: String) {
        self.file = file
        self.line = line
        self.message = FileProblem.cut(message)
        self.remedy = FileProblem.cut(remedy)
    }

    /// A text without its middle, so that what a message says before and after a quotation is still there.
    private static func cut(_ text: String) -> String {
        guard text.utf8.count > messageBytes else { return text }
        let (head, tail) = (text.utf8.prefix(messageBytes * 3 / 4), text.utf8.suffix(messageBytes / 4))
        let left = text.utf8.count - head.count - tail.count
        return String(decoding: head, as: UTF8.self) + "[... \(left) bytes ...]" + String(decoding: tail, as: UTF8.self)
    }

    package var description: String {
        line > 0 ? "\(file):\(line): \(message); \(remedy)" : "\(file): \(message); \(remedy)"
    }
}

/// All problems of a file, in the order of its lines.
package struct FileProblems: Error, Hashable, Sendable, CustomStringConvertible {
    package var problems: [FileProblem]
    /// How many more problems there are.
    package var unlisted: Int

    package init(_ problems: [FileProblem], unlisted: Int = 0) {
        self.problems = problems.sorted { $0.line < $1.line }
        self.unlisted = unlisted
    }

    package var description: String {
        let more =
            unlisted == 0
            ? [] : [unlisted == 1 ? "1 more problem is not listed" : "\(unlisted) more problems are not listed"]
        return (problems.map(\.description) + more).joined(separator: "\n")
    }
}
