import SafeText

/// Files of allowed signers (ssh-keygen(1), ALLOWED SIGNERS), read to import people and their keys.
///
/// ssh-keygen skips a line that it cannot read. Here such a line is an error that names it: otherwise a missing person
/// is noticed only when an approval is needed.
package enum AllowedSigners {
    /// One line: who may sign with which key.
    package struct Entry: Hashable, Sendable {
        /// The number of the line, from 1.
        package let line: Int
        /// The names, at least one. Each key may have several, and each name several keys.
        package let principals: [String]
        /// The only namespaces that the key may sign for; nil if it may sign for all.
        package let namespaces: [String]?
        /// The first and the last moment at which the key is valid; nil without a limit.
        package let validAfter, validBefore: Time?
        package let key: SSHPublicKey
    }

    /// A moment as it is written: `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`.
    package struct Time: Hashable, Sendable {
        /// Seconds since 1970 if the digits are read as UTC.
        package let secondsReadAsUTC: Int64
        /// Whether `Z` or `UTC` follows. Without it OpenSSH reads the digits in the zone of its machine. The file does
        /// not name that zone: the caller must choose one.
        package let isUTC: Bool

        package init(secondsReadAsUTC: Int64, isUTC: Bool) {
            self.secondsReadAsUTC = secondsReadAsUTC
            self.isUTC = isUTC
        }
    }

    /// Why a file is refused, and at which line.
    package struct Problem: Error, Hashable, Sendable {
        /// From 1.
        package let line: Int
        package let reason: Reason

        /// As a sentence without its capital and full stop.
        package var words: String { "line \(line): \(reason.words)" }
    }

    /// What is wrong with a line.
    package enum Reason: Error, Hashable, Sendable {
        case fileTooLong
        case lineTooLong
        case tooMany
        case controlCharacter
        /// Only a name is on the line.
        case noKey
        case emptyPrincipal
        /// With the part of it that is a pattern or quoted.
        case patternAsPrincipal(String)
        case patternAsNamespace(String)
        case certAuthority
        case unknownOption(String)
        case repeatedOption(String)
        case malformedOption(String)
        case badTime(String)
        case neverValid
        case key(SignatureProblem)

        package var words: String {
            switch self {
            case .fileTooLong: "the file is longer than \(SignatureLimits.allowedSignersBytes) bytes"
            case .lineTooLong: "it is longer than \(SignatureLimits.keyLineBytes) bytes"
            case .tooMany: "the file has more than \(counted(SignatureLimits.allowedSignersCount, "key"))"
            case .controlCharacter: "it contains a control character"
            case .noKey: "no key follows the names"
            case .emptyPrincipal: "one of its names is empty"
            case .patternAsPrincipal(let word):
                "\(SignatureProblem.quoted(word)) is a pattern or quoted; write out each name"
            case .patternAsNamespace(let word):
                "the namespace \(SignatureProblem.quoted(word)) is empty or a pattern; write out each namespace"
            case .certAuthority: "certificates are not supported, so a key with cert-authority cannot be imported"
            case .unknownOption(let word): "\(SignatureProblem.quoted(word)) is neither an option nor a type of key"
            case .repeatedOption(let name): "the option \(name) is given twice"
            case .malformedOption(let name):
                "the option \(name) needs a value in quotation marks, and then a comma or a space"
            case .badTime(let word):
                """
                \(SignatureProblem.quoted(word)) is not a valid time; write YYYYMMDD, YYYYMMDDHHMM or \
                YYYYMMDDHHMMSS, and Z behind it for UTC
                """
            case .neverValid: "valid-before is not after valid-after, so the key is never valid"
            case .key(let problem): problem.words
            }
        }
    }

    /// All entries of a file, in its order. Empty lines and those that begin with `#` are skipped.
    ///
    /// - Throws: the first problem; nothing of such a file is used.
    package static func entries(_ text: String) throws(Problem) -> [Entry] {
        guard text.utf8.count <= SignatureLimits.allowedSignersBytes else {
            throw Problem(line: 1, reason: .fileTooLong)
        }
        var entries: [Entry] = []
        for (index, whole) in text.lines.enumerated() {
            let line = whole.trimmed
            if line.isEmpty || line.begins(with: "#") { continue }
            do throws(Reason) {
                guard entries.count < SignatureLimits.allowedSignersCount else { throw .tooMany }
                entries.append(try entry(line, number: index + 1))
            } catch {
                throw Problem(line: index + 1, reason: error)
            }
        }
        return entries
    }

    private static func entry(_ line: Substring, number: Int) throws(Reason) -> Entry {
        guard line.utf8.count <= SignatureLimits.keyLineBytes else { throw .lineTooLong }
        guard line.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }) else { throw .controlCharacter }
        let names = line.prefix(upToAnyOf: " \t")
        var rest = Substring(line.utf8.dropFirst(names.utf8.count)).trimmed
        let principals = names.pieces(separatedBy: ",").map(String.init)
        guard !principals.contains("") else { throw .emptyPrincipal }
        if let pattern = principals.first(where: { $0.holds(anyOf: "*?!\"") }) { throw .patternAsPrincipal(pattern) }
        guard !rest.isEmpty else { throw .noKey }
        var options = SignerOptions()
        if !SSHPublicKey.isType(String(rest.prefix(upToAnyOf: " \t"))) {
            options = try SignerOptions(takenFrom: &rest)
            guard !rest.isEmpty else { throw .noKey }
        }
        do throws(SignatureProblem) {
            return Entry(
                line: number, principals: principals, namespaces: options.namespaces, validAfter: options.validAfter,
                validBefore: options.validBefore, key: try SSHPublicKey(line: String(rest)))
        } catch {
            throw .key(error)
        }
    }
}
