/// A problem in a file: its line, and what to write instead.
package struct FileProblem: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    /// The line number, from 1; 0 if the file has no lines that mean something, as JSON.
    package var line: Int
    /// What is wrong.
    package var message: String
    /// What to write instead.
    package var remedy: String

    package init(file: String, line: Int, message: String, remedy: String) {
        self.file = file
        self.line = line
        self.message = message
        self.remedy = remedy
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
