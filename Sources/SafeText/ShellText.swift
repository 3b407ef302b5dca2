/// Words of a command line for a POSIX shell.
package enum ShellText {
    private static let bare = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-".utf8)

    /// Unchanged if no shell would interpret it, else in quotation marks.
    package static func word(_ text: String) -> String {
        if !text.isEmpty, text.utf8.allSatisfy(bare.contains) { return text }
        var quoted = "'".unicodeScalars
        // Scalar by scalar: a combining mark after a quotation mark would form one character with it.
        for scalar in text.unicodeScalars {
            if scalar == "'" { quoted.append(contentsOf: "'\\'".unicodeScalars) }
            quoted.append(scalar)
        }
        quoted.append("'")
        return String(quoted)
    }

    /// A command line that a shell splits into exactly these words.
    package static func line(_ words: [String]) -> String { words.map(word).joined(separator: " ") }
}
