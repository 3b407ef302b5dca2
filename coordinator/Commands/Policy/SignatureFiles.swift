import Approvals
import Foundation
import SafeText
import UpgradeDomain

/// Armoured signatures in files: what `ssh-keygen -Y sign` writes, several of them in one file too.
enum SignatureFiles {
    static let fileBytes = 1 << 20
    private static let first = "-----BEGIN SSH SIGNATURE-----"
    private static let last = "-----END SSH SIGNATURE-----"

    /// The signatures of a text, each with its armour. Anything but white space around them is refused.
    static func signatures(in text: String, of file: String) throws -> [String] {
        var found: [String] = []
        var open: [Substring]?
        for line in text.lines {
            if line.isSpelled(first), open == nil {
                open = [line]
            } else if let lines = open {
                open = lines + [line]
                if line.isSpelled(last) {
                    found.append((open ?? []).joined(separator: "\n") + "\n")
                    open = nil
                }
            } else if !line.trimmed.isEmpty {
                throw refusal(file, "has something else beside its signatures: \(line.prefix(upToAnyOf: "\u{1b}"))")
            }
        }
        if open != nil { throw refusal(file, "ends in the middle of a signature") }
        if found.isEmpty { throw refusal(file, "has no signature") }
        return found
    }

    private static func refusal(_ file: String, _ words: String) -> CommandError {
        CommandError(
            .refused, "\(file) \(words)",
            consequence: "Nothing was recorded. A signature begins with \(first) and ends with \(last).")
    }

    /// The files beside a signed file that have its name and end with `.sig`, sorted.
    static func beside(_ file: String) throws -> [String] {
        let place = URL(filePath: file)
        let folder = place.deletingLastPathComponent().path
        let prefix = file.cut(atLast: "/").map { "\($0.before)/" } ?? ""
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.begins(with: place.lastPathComponent + ".") && $0.ends(with: ".sig") }.sorted()
            .map { prefix + $0 }
    }
}

extension Context {
    /// The different signatures in files.
    func signatures(in files: [String]) throws -> [String] {
        var all: [String] = []
        for file in files {
            let text = try readFile(file, limitBytes: SignatureFiles.fileBytes)
            for signature in try SignatureFiles.signatures(in: text, of: file) where !all.contains(signature) {
                all.append(signature)
            }
        }
        return all
    }
}
