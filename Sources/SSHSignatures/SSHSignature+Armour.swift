import FoundationEssentials
import SafeText

extension SSHSignature {
    private static let first = "-----BEGIN SSH SIGNATURE-----"
    private static let last = "-----END SSH SIGNATURE-----"

    /// Reads an armoured signature, with line ends LF or CR LF.
    ///
    /// Only white space may be around it. ssh-keygen ignores whatever follows it, so a file could contain text that
    /// looks signed and is not.
    /// - Throws: `notArmoured`, and what ``init(blob:)`` throws.
    package init(armored text: [UInt8]) throws(SignatureProblem) {
        guard text.count <= SignatureLimits.armourBytes else {
            throw .notArmoured("it is longer than \(SignatureLimits.armourBytes) bytes")
        }
        let isPlain: (UInt8) -> Bool = { ($0 >= 0x20 && $0 < 0x7f) || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
        guard text.allSatisfy(isPlain) else { throw .notArmoured("it is not ASCII text") }
        let lines = String(decoding: text, as: UTF8.self).trimmed.lines
        guard lines.first == Self.first[...] else { throw .notArmoured("it does not begin with \(Self.first)") }
        guard let end = lines.firstIndex(of: Self.last[...]) else { throw .notArmoured("it has no \(Self.last)") }
        guard end == lines.count - 1 else { throw .notArmoured("something follows \(Self.last)") }
        let content = lines[1..<end]
        guard content.allSatisfy({ (1...SignatureLimits.armourLineCharacters).contains($0.utf8.count) }) else {
            throw .notArmoured(
                "a line between is empty or longer than \(counted(SignatureLimits.armourLineCharacters, "character"))")
        }
        guard let blob = SSHPublicKey.decoded(content.joined()) else {
            throw .notArmoured("what is between its first and last line is not base64")
        }
        try self.init(blob: blob)
    }

    /// The armoured signature exactly as ssh-keygen writes it.
    package var armored: String {
        var lines = [Self.first]
        var rest = Data(blob).base64EncodedString().utf8[...]
        while !rest.isEmpty {
            lines.append(String(Substring(rest.prefix(SignatureLimits.writtenLineCharacters))))
            rest = rest.dropFirst(SignatureLimits.writtenLineCharacters)
        }
        return lines.joined(separator: "\n") + "\n\(Self.last)\n"
    }
}
