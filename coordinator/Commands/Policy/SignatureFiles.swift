import Approvals
import Foundation
import SafeText
import UpgradeDomain

/// Armoured signatures in files: what `ssh-keygen -Y sign` writes, several of them in one file too.
enum SignatureFiles {
    static let fileBytes = 1 << 20

    /// The signatures of a text, each with its armour. Anything but white space around them is refused.
    static func signatures(in text: String, of file: String) throws -> [String] {
        let blocks = SignatureBlocks(in: text)
        let problem: String? =
            if let other = blocks.firstOther {
                "has something else beside its signatures: \(other.prefix(upToAnyOf: "\u{1b}"))"
            } else if blocks.isCut {
                "ends in the middle of a signature"
            } else {
                blocks.armoured.isEmpty ? "has no signature" : nil
            }
        guard let problem else { return blocks.armoured }
        throw CommandError(
            .refused, "\(file) \(problem)",
            consequence: "Nothing was recorded. A signature begins with \(SignatureBlocks.begin) and ends with "
                + "\(SignatureBlocks.end).")
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
