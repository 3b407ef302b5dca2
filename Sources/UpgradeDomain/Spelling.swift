extension StringProtocol {
    /// Whether two texts have the same bytes. Swift's own `==` treats different encodings of a letter as equal.
    package func isSpelled(_ other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Lower-cases A to Z only; everything else stays unchanged.
    package var lowercasedASCII: String {
        String(decoding: utf8.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }, as: UTF8.self)
    }
}
