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
    /// Each text must be there. What was put in is not looked at again: the number of a port may contain another one.
    func replacingEach(_ changes: [(String, String)]) throws -> String {
        for (old, _) in changes where !contains(old) { throw Surprise("'\(old)' is not in\n\(self)") }
        var (rest, replaced) = (self[...], "")
        while let next = rest.first {
            if let (old, new) = changes.first(where: { rest.hasPrefix($0.0) }) {
                replaced += new
                rest = rest.dropFirst(old.count)
            } else {
                replaced.append(next)
                rest = rest.dropFirst()
            }
        }
        return replaced
    }
}
