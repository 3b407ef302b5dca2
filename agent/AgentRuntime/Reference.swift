import SafeText

/// Parts of a command that name a path: whole arguments, and mentions in a shell's text.
enum Reference {
    /// The ways to write a path below the working directory, the most exact first.
    static func texts(of path: String, in base: String) -> [String] {
        guard let below = PlacedPath.of(path, below: base, placedAt: "")?.dropFirst(), !below.isEmpty else {
            return [path]
        }
        return [path, "./\(below)", String(below)]
    }

    /// A text with each mention of a path replaced; nil if there is none. `scripts` is mentioned in `cd scripts &&
    /// ./x`, but not in `myscripts/x` or `other/scripts`.
    static func replacing(_ mention: String, by other: String, in text: String) -> String? {
        let (bytes, wanted) = (Array(text.utf8), Array(mention.utf8))
        guard !wanted.isEmpty, bytes.count >= wanted.count else { return nil }
        var result: [UInt8] = []
        var isFound = false
        var index = 0
        while index < bytes.count {
            let end = index + wanted.count
            let begins = index == 0 || before.contains(bytes[index - 1])
            if begins, end <= bytes.count, bytes[index..<end].elementsEqual(wanted),
                end == bytes.count || after.contains(bytes[end])
            {
                result += other.utf8
                isFound = true
                index = end
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return isFound ? String(decoding: result, as: UTF8.self) : nil
    }

    private static let before = Set(" \t\n\"'`=;&|(<>$:{!".utf8)
    private static let after = Set(" \t\n\"'`;&|)<>/:}".utf8)
}
