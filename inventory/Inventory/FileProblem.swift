/// Something wrong in a file, where, and what to write instead.
public struct FileProblem: Hashable, Sendable, CustomStringConvertible {
    public var file: String
    /// From 1.
    public var line: Int
    /// What is wrong.
    public var message: String
    /// What to write instead.
    public var remedy: String

    public init(file: String, line: Int, message: String, remedy: String) {
        self.file = file
        self.line = line
        self.message = message
        self.remedy = remedy
    }

    public var description: String { "\(file):\(line): \(message); \(remedy)" }
}

/// Everything wrong in a file, in the order of its lines.
public struct FileProblems: Error, Hashable, Sendable, CustomStringConvertible {
    public var problems: [FileProblem]
    /// How many more there are.
    public var unlisted: Int

    init(_ problems: [FileProblem], unlisted: Int = 0) {
        self.problems = problems.sorted { $0.line < $1.line }
        self.unlisted = unlisted
    }

    public var description: String {
        let more =
            unlisted == 0
            ? [] : [unlisted == 1 ? "1 more problem is not listed" : "\(unlisted) more problems are not listed"]
        return (problems.map(\.description) + more).joined(separator: "\n")
    }
}
