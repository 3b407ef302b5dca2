import Foundation
import Subprocess
import Testing

/// A reader of a page, who types its commands in a folder and compares what is printed with what the page shows.
struct PageReader {
    let fleet: FleetFixture
    let session: DocumentedSession
    let folder: String
    let environment: Environment
    /// What a shell runs before each example.
    var prelude = ""
    private(set) var shown: Set<String> = []

    /// - Parameters:
    ///   - path: the page.
    ///   - fleet: runs the commands.
    ///   - folder: the reader's home, where the commands are typed.
    ///   - environment: of the commands.
    init(of path: String, _ fleet: FleetFixture, in folder: String, _ environment: Environment) throws {
        self.fleet = fleet
        self.folder = folder
        self.environment = environment
        session = try DocumentedSession(path)
    }

    mutating func read(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let example = try session.example(name)
        try compare(example, with: try await typed(example.script), sourceLocation)
    }

    /// The same for a command that asks for confirmation and is answered with no.
    mutating func read(_ name: String, asking question: String) async throws {
        let example = try session.example(name)
        let command = try #require(example.lines.first)
        let asked = try await fleet.runOnTerminal(
            command.split(separator: " ").dropFirst(2).map(String.init), whenAsked: question, type: "no",
            variables: ["LOCKFLIGHT_LEDGER": "\(folder)/ledger.sqlite"])
        try compare(example, with: "\(command)\n\(asked.output.replacing("\r\n", with: "\n"))", #_sourceLocation)
    }

    private mutating func compare(
        _ example: DocumentedSession.Example, with printed: String, _ sourceLocation: SourceLocation
    ) throws {
        shown.insert(example.name)
        let difference = example.difference(from: printed)
        if difference != nil, ProcessInfo.processInfo.environment["LOCKFLIGHT_WRITE_DOCS"] != nil {
            try session.rewrite(example, as: printed)
        }
        #expect(
            difference == nil,
            "\(session.path) shows '\(difference ?? "")' in '\(example.name)', and the program prints:\n\(printed)",
            sourceLocation: sourceLocation)
    }

    @discardableResult
    func typed(_ script: String) async throws -> String {
        try await fleet.execute(["sh", "-c", "cd '\(folder)'\n\(prelude)\n\(script)"], environment).output
    }

    /// What another reader of the same page has seen counts as well.
    mutating func join(_ other: PageReader) { shown.formUnion(other.shown) }

    /// The text that the whole session did not reach.
    var unread: [String] { session.examples.map(\.name).filter { !shown.contains($0) } }
}
