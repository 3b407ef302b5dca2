/// Just enough of Swift's lexical structure to tell code from words.
enum SwiftCode {
    /// The text with comments and string contents replaced by spaces; lines and columns stay the same.
    ///
    /// Code inside an interpolation stays code.
    static func blankingWords(in text: String) -> String {
        var lexer = Lexer(text)
        return lexer.run()
    }

    /// The lines of each function and initializer, from its first word to its closing brace.
    static func functions(in code: [String]) -> [(name: String, line: Int, lines: Int)] {
        var found: [(name: String, line: Int, lines: Int)] = []
        for (index, line) in code.enumerated() where line.contains(anyOf: ["func ", "init"]) {
            guard let match = line.firstMatch(of: /\b(?:func ([^(<]+)|(init)[?(<])/.wordBoundaryKind(.simple)) else {
                continue
            }
            let isCall = match.2 != nil && line[..<match.range.lowerBound].contains(/[.(=]\s*$/)
            guard !isCall, let last = closingLine(in: code, from: index, after: match.range.lowerBound) else {
                continue
            }
            let name = match.1.map { $0.trimmingPrefix(" ") }.map(String.init) ?? "init"
            found.append((name, index + 1, last - index + 1))
        }
        return found
    }

    /// The index of the line where the first brace after the place is closed; nil for a requirement, which has no body.
    private static func closingLine(in code: [String], from first: Int, after start: String.Index) -> Int? {
        var braces = 0
        var parentheses = 0
        for index in first..<code.count {
            let line = index == first ? code[index][start...] : code[index][...]
            if index > first, braces == 0, parentheses == 0, line.contains(/^\s*(func|init|var|let|case|@|\}|$)/) {
                return nil
            }
            for character in line {
                switch character {
                case "(": parentheses += 1
                case ")": parentheses -= 1
                case "{": braces += 1
                case "}":
                    braces -= 1
                    if braces == 0 && parentheses == 0 { return index }
                    if braces < 0 { return nil }
                default: continue
                }
            }
        }
        return nil
    }
}

extension SwiftCode {
    private struct Lexer {
        /// The lexer's nesting of string literals and interpolations.
        private enum Place {
            case code(parentheses: Int)
            case string(hashes: Int, isMultiline: Bool)
        }

        private let bytes: [UInt8]
        private var position = 0
        private var output: [UInt8] = []
        private var places: [Place] = [.code(parentheses: 0)]

        init(_ text: String) { bytes = Array(text.utf8) }

        mutating func run() -> String {
            while position < bytes.count {
                switch places[places.count - 1] {
                case .code(let parentheses): readCode(parentheses)
                case .string(let hashes, let isMultiline): readString(hashes, isMultiline)
                }
            }
            return String(decoding: output, as: UTF8.self)
        }

        private func starts(_ word: StaticString, at offset: Int = 0) -> Bool {
            let start = position + offset
            guard start + word.utf8CodeUnitCount <= bytes.count else { return false }
            for index in 0..<word.utf8CodeUnitCount where bytes[start + index] != word.utf8Start[index] { return false }
            return true
        }

        private func hashes(at offset: Int = 0) -> Int {
            bytes[(position + offset)...].prefix { $0 == UInt8(ascii: "#") }.count
        }

        private mutating func keep(_ count: Int = 1) {
            let end = min(position + count, bytes.count)
            output += bytes[position..<end]
            position = end
        }

        private mutating func blank(_ count: Int = 1) {
            let end = min(position + count, bytes.count)
            for byte in bytes[position..<end] { output.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " ")) }
            position = end
        }

        /// The number of bytes from here on that are none of these.
        private func run(without special: [UInt8]) -> Int {
            var end = position
            while end < bytes.count, !special.contains(bytes[end]) { end += 1 }
            return end - position
        }

        private mutating func readCode(_ parentheses: Int) {
            keep(run(without: Array("/\"#()".utf8)))
            if position == bytes.count { return }
            if starts("//") { return blank(run(without: [UInt8(ascii: "\n")])) }
            if starts("/*") {
                while position < bytes.count, !starts("*/") { blank() }
                return blank(2)
            }
            let hashes = hashes()
            if starts("\"", at: hashes) {
                let isMultiline = starts("\"\"\"", at: hashes)
                places.append(.string(hashes: hashes, isMultiline: isMultiline))
                return keep(hashes + (isMultiline ? 3 : 1))
            }
            if starts("(") { places[places.count - 1] = .code(parentheses: parentheses + 1) }
            if starts(")") {
                if parentheses == 0 && places.count > 1 {
                    places.removeLast()
                } else {
                    places[places.count - 1] = .code(parentheses: parentheses - 1)
                }
            }
            keep(max(hashes, 1))
        }

        private mutating func readString(_ hashes: Int, _ isMultiline: Bool) {
            blank(run(without: Array("\"\\\n".utf8)))
            if position == bytes.count { return }
            let quotes = isMultiline ? 3 : 1
            if starts(isMultiline ? "\"\"\"" : "\""), self.hashes(at: quotes) >= hashes {
                places.removeLast()
                keep(quotes + hashes)
            } else if starts("\\"), self.hashes(at: 1) >= hashes {
                guard starts("(", at: 1 + hashes) else { return blank(2 + hashes) }
                blank(1 + hashes)
                keep()
                places.append(.code(parentheses: 0))
            } else if !isMultiline && starts("\n") {
                places.removeLast()  // a quote inside a regex literal, not a string
                keep()
            } else {
                blank()
            }
        }
    }
}
