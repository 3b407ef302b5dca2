extension StringProtocol {
    /// Whether two texts are the same as they are written; Swift's own `==` holds different spellings of a letter for equal.
    package func isSpelled(_ other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Without the difference between A to Z and a to z; everything else stays as it is written.
    package var lowercasedASCII: String {
        String(decoding: utf8.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }, as: UTF8.self)
    }
}
