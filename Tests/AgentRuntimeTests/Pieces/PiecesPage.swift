import Foundation

/// The page of ready evidence, whose blocks the tests run as they are written there.
enum PiecesPage {
    /// The fenced blocks of one language in a section, in order.
    static func blocks(of language: String, in section: String) throws -> [String] {
        let page = try String(contentsOf: repository.appending(path: "docs/evidence-pieces.md"), encoding: .utf8)
        let sections = page.components(separatedBy: "\n## ")
        guard let text = sections.first(where: { $0.hasPrefix(section + "\n") }) else {
            throw Surprise("the page has no section \(section)")
        }
        return text.components(separatedBy: "\n```\(language)\n").dropFirst().map {
            $0.components(separatedBy: "\n```")[0] + "\n"
        }
    }

    /// The first block of a language in a section, with each text replaced that the test must choose itself.
    static func block(
        of language: String, in section: String, replacing changes: [(String, String)] = []
    ) throws -> String {
        guard let block = try blocks(of: language, in: section).first else {
            throw Surprise("section \(section) has no block of \(language)")
        }
        return try block.replacingEach(changes)
    }

    static let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardized
}

extension String {
    /// Each text must be there.
    func replacingEach(_ changes: [(String, String)]) throws -> String {
        try changes.reduce(self) { text, change in
            guard text.contains(change.0) else { throw Surprise("'\(change.0)' is not in\n\(text)") }
            return text.replacingOccurrences(of: change.0, with: change.1)
        }
    }
}
