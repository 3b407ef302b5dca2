import SafeText
import UpgradeDomain

/// The armoured signatures in a text that somebody pasted, sent or wrote to a file.
///
/// Whatever is around them is not part of what was signed. It is counted, so that nobody takes it for signed.
struct SignatureBlocks: Equatable {
    /// Each as `ssh-keygen -Y sign` writes it, without white space around its lines.
    var armoured: [String] = []
    /// How many lines with text are beside them.
    var otherLines = 0
    /// The first of those lines.
    var firstOther: String?
    /// Whether a signature begins and does not end.
    var isCut = false

    static let begin = "-----BEGIN SSH SIGNATURE-----"
    static let end = "-----END SSH SIGNATURE-----"

    init(in text: String) {
        var open: [String]?
        for line in text.lines {
            let content = String(line.trimmed)
            if content.isSpelled(SignatureBlocks.begin) {
                if open != nil { isCut = true }
                open = [content]
            } else if let lines = open {
                open = lines + [content]
                guard content.isSpelled(SignatureBlocks.end) else { continue }
                armoured.append((lines + [content]).map { $0 + "\n" }.joined())
                open = nil
            } else if !content.isEmpty {
                otherLines += 1
                firstOther = firstOther ?? content
            }
        }
        if open != nil { isCut = true }
    }
}
