import SafeText
import UpgradeDomain

/// Whatever a text holds, it stays text in a page, one word in a command line, one line on a terminal.
enum PageProperties {
    static func check(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        let html = HTML.escaped(text)
        require(!html.utf8.contains { "<>\"'".utf8.contains($0) }, "markup is left in HTML")
        let markdown = Array(Markdown.escaped(text).utf8)
        for (index, byte) in markdown.enumerated() {
            require(byte != UInt8(ascii: "<") && byte != UInt8(ascii: "|"), "markup is left in Markdown")
            guard "`*[]".utf8.contains(byte) else { continue }
            require(index > 0 && markdown[index - 1] == UInt8(ascii: "\\"), "markup is left in Markdown")
        }
        checkWord(text)
        if HostAddress(text) != nil {
            let isPlain = text.utf8.first != UInt8(ascii: "-") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
            require(isPlain, "an address contains other characters")
        }
    }

    /// Read as a POSIX shell reads it: unquoted, or in single quotes with `'\''` for a quote inside.
    private static func checkWord(_ text: String) {
        let word = Array(ShellText.word(text).utf8)
        var read: [UInt8] = []
        var isQuoted = false
        var position = 0
        while position < word.count {
            let byte = word[position]
            if byte == UInt8(ascii: "'") {
                isQuoted.toggle()
            } else if byte == UInt8(ascii: "\\"), !isQuoted {
                position += 1
                read.append(word[position])
            } else {
                require(isQuoted || !" \t\n;&|<>()$`\"*?[#~!".utf8.contains(byte), "a shell gives it a special meaning")
                read.append(byte)
            }
            position += 1
        }
        require(!isQuoted && read == Array(text.utf8), "a shell reads a different word")
    }
}
