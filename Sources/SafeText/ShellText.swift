/// Words of a command line for a POSIX shell.
package enum ShellText {
    private static let bare = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-".utf8)

    /// As it stands where no shell makes anything else of it, else between quotation marks.
    package static func word(_ text: String) -> String {
        if !text.isEmpty, text.utf8.allSatisfy(bare.contains) { return text }
        var quoted = "'".unicodeScalars
        // Scalar by scalar: a mark behind a quotation mark makes one character of the two.
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
