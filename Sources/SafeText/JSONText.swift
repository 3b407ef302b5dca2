/// JSON that is safe to show on a terminal: characters that could control a terminal or hide text are written as JSON
/// escapes, so that the value does not change.
package enum JSONText {
    /// - Parameter json: a document whose strings have no raw C0 control characters, which every encoder guarantees.
    package static func shown(_ json: String) -> String {
        guard json.unicodeScalars.contains(where: { $0.value > 0x7e }) else { return json }
        var result = ""
        for scalar in json.unicodeScalars {
            if scalar.value > 0x7e, Terminal.canSteerOrHide(scalar) {
                for unit in String(scalar).utf16 {
                    result += "\\u" + String(0x10000 + Int(unit), radix: 16).dropFirst()
                }
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
