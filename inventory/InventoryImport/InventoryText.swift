package import FileReading

/// Writes an inventory file: as JSON, which is YAML as well. Each key and each element has a line of its own, so that a
/// problem there can be traced to where its value comes from.
package struct InventoryText {
    package private(set) var text = ""
    /// For each line of the text, the line that its tree says.
    private(set) var lines: [Int] = []

    package init(_ tree: FileTree) {
        write(tree, indent: 0, before: "", after: "")
    }

    private mutating func line(_ text: String, _ number: Int) {
        self.text += text
        self.text += "\n"
        lines.append(number)
    }

    private mutating func write(_ tree: FileTree, indent: Int, before: String, after: String) {
        let space = String(repeating: " ", count: indent)
        switch tree.content {
        case .null: line("\(space)\(before)null\(after)", tree.line)
        case .text(let text): line("\(space)\(before)\(InventoryText.quoted(text))\(after)", tree.line)
        case .integer(let number): line("\(space)\(before)\(number)\(after)", tree.line)
        case .list([]): line("\(space)\(before)[]\(after)", tree.line)
        case .mapping([]): line("\(space)\(before){}\(after)", tree.line)
        case .list(let elements):
            line("\(space)\(before)[", tree.line)
            for (index, element) in elements.enumerated() {
                write(element, indent: indent + 2, before: "", after: index + 1 < elements.count ? "," : "")
            }
            line("\(space)]\(after)", tree.line)
        case .mapping(let members):
            line("\(space)\(before){", tree.line)
            for (index, member) in members.enumerated() {
                var value = member.value
                value.line = member.line
                write(
                    value, indent: indent + 2, before: "\(InventoryText.quoted(member.key)): ",
                    after: index + 1 < members.count ? "," : "")
            }
            line("\(space)}\(after)", tree.line)
        }
    }

    /// What no person sees in a file. Those beyond the first plane stay: JSON writes two numbers for one, which YAML refuses.
    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value <= 0xffff else { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    /// A text of JSON that our files may have: what looks like an anchor or a complex key of YAML is escaped, and so is what
    /// could steer a terminal or is not seen.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "&", "?",
                _ where InventoryText.isHidden(scalar):
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
