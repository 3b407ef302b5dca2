/// The `${name}` syntax of plan texts. `$${` is a literal `${`, and so is a `${` without a closing `}`.
package enum Placeholder {
    /// The names in a text, in order of appearance.
    package static func names(in text: String) -> [String] {
        var names: [String] = []
        _ = replace(in: text) {
            names.append($0)
            return nil
        }
        return names
    }

    /// Whether a `${` of the text is not closed. Readers of files refuse it: it was meant as a placeholder, or is written
    /// `$${`. In what is stored it stands for itself.
    package static func isUnclosed(_ text: String) -> Bool {
        var isUnclosed = false
        scan(text, literal: { _ in }, name: { _ in }, unclosed: { isUnclosed = true })
        return isUnclosed
    }

    static func replace(in text: String, with value: (String) -> String?) -> String {
        guard text.utf8.contains(0x24) else { return text }
        var result: [UInt8] = []
        scan(text) {
            result += $0
        } name: { name in
            result += (value(name) ?? "${\(name)}").utf8
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The parts of a text in order: what stands for itself, without the `$` that an escape has more, and the names.
    static func scan(
        _ text: String, literal: (Substring.UTF8View) -> Void, name: (String) -> Void, unclosed: () -> Void = {}
    ) {
        var rest = Substring(text).utf8
        while let dollar = rest.firstIndex(of: 0x24) {
            literal(rest[..<dollar])
            rest = rest[dollar...].dropFirst()
            if rest.starts(with: "${".utf8) {
                literal(rest.prefix(2))
                rest = rest.dropFirst(2)
            } else if rest.first == 0x7b, let close = rest.firstIndex(of: 0x7d) {
                name(String(Substring(rest[..<close].dropFirst())))
                rest = rest[close...].dropFirst()
            } else {
                if rest.first == 0x7b { unclosed() }
                literal(text.utf8[dollar...dollar])
            }
        }
        literal(rest)
    }
}

/// A text of a plan with every placeholder replaced but `${run}`: what owners sign before there is a run.
///
/// A run's id put in place of `${run}` gives exactly the text that is sent (``filled(_:run:)``). A `$` of the text itself is
/// doubled where it would otherwise be read as part of a placeholder: directly before `{`, or before `${run}`. So `$${run}` is
/// the six characters `${run}`, and `$HOME` stays `$HOME`.
package enum OpenText {
    private static let run = "run"

    /// - Parameters:
    ///   - text: as the plan has it.
    ///   - value: the values of the other placeholders.
    static func open(_ text: String, with value: (String) -> String?) -> String {
        guard text.utf8.contains(0x24) else { return text }
        var result = Writer()
        Placeholder.scan(text) {
            result.write($0)
        } name: { name in
            if name == run {
                result.writeRun()
            } else {
                result.write((value(name) ?? "${\(name)}").utf8[...])
            }
        }
        return result.text
    }

    /// The text that is sent for a run; nil for a text that has not this form.
    package static func filled(_ text: String, run: RunID) -> String? {
        var result: [UInt8] = []
        var rest = text.utf8[...]
        while let first = rest.firstIndex(of: 0x24) {
            result += rest[..<first]
            rest = rest[first...]
            let dollars = rest.prefix { $0 == 0x24 }.count
            rest = rest.dropFirst(dollars)
            guard rest.first == 0x7b else {
                result += Array(repeating: 0x24, count: dollars)
                continue
            }
            result += Array(repeating: 0x24, count: dollars / 2)
            guard dollars % 2 == 1 else { continue }
            let name = "{\(OpenText.run)}".utf8
            guard rest.starts(with: name) else { return nil }
            result += run.rawValue.utf8
            rest = rest.dropFirst(name.count)
        }
        return String(decoding: result + rest, as: UTF8.self)
    }

    /// Doubles the `$` that need it as they come, from whichever parts of the text.
    private struct Writer {
        private var bytes: [UInt8] = []
        /// How many `$` were written last.
        private var dollars = 0

        mutating func write(_ literal: Substring.UTF8View) {
            for byte in literal {
                if byte == 0x7b { doubleDollars() }
                dollars = byte == 0x24 ? dollars + 1 : 0
                bytes.append(byte)
            }
        }

        mutating func writeRun() {
            doubleDollars()
            bytes += "${\(OpenText.run)}".utf8
            dollars = 0
        }

        private mutating func doubleDollars() {
            for _ in 0..<dollars { bytes.append(0x24) }
        }

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }
}
