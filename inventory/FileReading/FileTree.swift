import Yams

/// The values of a YAML file with their lines, for whoever writes them elsewhere: what they mean is not looked at.
package struct FileTree: Hashable, Sendable {
    /// What is written at one place.
    package enum Content: Hashable, Sendable {
        case null
        case text(String)
        /// As a file is written; what is read is a text.
        case integer(Int)
        case list([FileTree])
        case mapping([Member])
    }

    /// A key of a mapping with its value.
    package struct Member: Hashable, Sendable {
        package var key: String
        /// The line of the key.
        package var line: Int
        package var value: FileTree

        package init(_ key: String, _ value: FileTree, line: Int) {
            self.key = key
            self.line = line
            self.value = value
        }
    }

    package var content: Content
    /// The line number, from 1.
    package var line: Int

    package init(_ content: Content, line: Int) {
        self.content = content
        self.line = line
    }

    /// The values of a YAML text.
    /// - Throws: why it can not be read.
    package static func read(yaml text: String, file: String) throws(FileProblems) -> FileTree {
        let reader = FileReader(file: file)
        let root = reader.root(of: text)
        try reader.finish()
        return root.map { FileTree($0.node, line: $0.line) } ?? FileTree(.null, line: 1)
    }

    /// The value of a key; nil if it has none.
    package func value(of key: String) -> FileTree? {
        members.first { $0.key == key }.flatMap { $0.value.content == .null ? nil : $0.value }
    }

    /// The keys of a mapping; of anything else none.
    package var members: [Member] {
        if case .mapping(let members) = content { members } else { [] }
    }

    /// The elements of a list; of anything else none.
    package var elements: [FileTree] {
        if case .list(let elements) = content { elements } else { [] }
    }

    package var text: String? {
        if case .text(let text) = content { text } else { nil }
    }
}

extension FileTree {
    fileprivate init(_ node: Node, line: Int) {
        let line = node.mark?.line ?? line
        switch node {
        case .mapping(let mapping):
            let members = mapping.map { key, value in
                let keyLine = key.mark?.line ?? line
                return Member(key.scalar?.string ?? "?", FileTree(value, line: keyLine), line: keyLine)
            }
            self.init(.mapping(members), line: line)
        case .sequence(let sequence): self.init(.list(sequence.map { FileTree($0, line: line) }), line: line)
        case .scalar(let scalar): self.init(node.isNull ? .null : .text(scalar.string), line: line)
        case .alias: self.init(.null, line: line)
        }
    }
}
