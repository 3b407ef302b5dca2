package import OperatorCommands

/// Why the lab could not do something, and what to do about it.
package struct LabError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong, as a closed list.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        case missingProgram, folderInUse, noLab, commandFailed, unknownHost, notPossibleHere, fileSystem, neverAnswered,
            neverEnded
    }
    package var code: Code
    package var message: String
    /// What to do next, if one command does it.
    package var next: OperatorCommand?

    init(_ code: Code, _ message: String, next: OperatorCommand? = nil) {
        self.code = code
        self.message = message
        self.next = next
    }

    package var description: String { message }
}
