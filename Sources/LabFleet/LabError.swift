public import OperatorCommands

/// Why the lab could not do something, and what to do about it.
public struct LabError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable, CaseIterable {
        case missingProgram, folderInUse, noLab, commandFailed, unknownHost, notPossibleHere, fileSystem, neverAnswered,
            neverEnded
    }
    public var code: Code
    public var message: String
    /// What to do next, where one command does it.
    public var next: OperatorCommand?

    init(_ code: Code, _ message: String, next: OperatorCommand? = nil) {
        self.code = code
        self.message = message
        self.next = next
    }

    public var description: String { message }
}
