import Foundation
import SSHSignatures
import Testing

struct AllowedSignersTests {
    private static func problem(_ text: String) -> AllowedSigners.Problem? {
        do throws(AllowedSigners.Problem) {
            _ = try AllowedSigners.entries(text)
            return nil
        } catch { return error }
    }

    @Test func peopleKeysAndLimitsAreRead() throws {
        let (one, two) = (try Vectors.key("ed25519"), try Vectors.key("sk-ecdsa"))
        let entries = try AllowedSigners.entries(
            """
            # who may approve
            ana@example.com,ben@example.com \(one.line) Ana's key, in a drawer

              \tcleo NAMESPACES="file,plan@lockflight.example",Valid-After="20250102Z",valid-before="202601021530" \
            \(two.line)\r
            ana@example.com\t\(two.line)
            """)
        #expect(entries.map(\.line) == [2, 4, 5])
        #expect(entries.map(\.principals) == [["ana@example.com", "ben@example.com"], ["cleo"], ["ana@example.com"]])
        #expect(entries.map(\.key) == [one, two, two])
        #expect(entries.map(\.namespaces) == [nil, ["file", "plan@lockflight.example"], nil])
        #expect(entries[1].validAfter == .init(secondsReadAsUTC: 1_735_776_000, isUTC: true))
        #expect(entries[1].validBefore == .init(secondsReadAsUTC: 1_767_367_800, isUTC: false))
        #expect(entries[0].validAfter == nil && entries[0].validBefore == nil)
        #expect(try AllowedSigners.entries("\n# nobody\n \n").isEmpty)
    }

    /// The first line that cannot be read is named, and its reason is said.
    @Test func eachProblemNamesItsLine() throws {
        let key = try Vectors.key("ed25519").line
        let all: [(line: String, words: String)] = [
            ("ana", "no key follows the names"), ("ana namespaces=\"x\"", "no key follows the names"),
            ("ana,,ben KEY", "one of its names is empty"), (",ana KEY", "one of its names is empty"),
            (
                "*@example.com KEY",
                "\"*@example.com\" is a pattern or quoted; write out each name"
            ),
            ("ana,!ben KEY", "\"!ben\" is a pattern or quoted; write out each name"),
            ("\"ana b\" KEY", "\"\"ana\" is a pattern or quoted; write out each name"),
            (
                "ana cert-authority KEY",
                "certificates are not supported, so a key with cert-authority cannot be imported"
            ),
            (
                "ana namespaces=\"x\",CERT-AUTHORITY KEY",
                "certificates are not supported, so a key with cert-authority cannot be imported"
            ),
            ("ana verify-required KEY", "\"verify-required\" is neither an option nor a type of key"),
            ("ana ssh-foo AAAA", "\"ssh-foo\" is neither an option nor a type of key"),
            ("ana namespaces=\"x\", KEY", "\"\" is neither an option nor a type of key"),
            ("ana namespaces=\"a\",namespaces=\"b\" KEY", "the option namespaces is given twice"),
            ("ana valid-after=\"20250101\",valid-after=\"20250101\" KEY", "the option valid-after is given twice"),
            ("ana valid-before=\"20250101\",valid-before=\"20250101\" KEY", "the option valid-before is given twice"),
            (
                "ana namespaces=x KEY",
                "the option namespaces needs a value in quotation marks, and then a comma or a space"
            ),
            (
                "ana namespaces=\"x KEY",
                "the option namespaces needs a value in quotation marks, and then a comma or a space"
            ),
            (
                "ana namespaces=\"x\"y KEY",
                "the option namespaces needs a value in quotation marks, and then a comma or a space"
            ),
            ("ana namespaces=\"\" KEY", "the namespace \"\" is empty or a pattern; write out each namespace"),
            ("ana namespaces=\"a,b*\" KEY", "the namespace \"b*\" is empty or a pattern; write out each namespace"),
            (
                "ana namespaces=\"a\\\"!b\" KEY",
                "the namespace \"a\"!b\" is empty or a pattern; write out each namespace"
            ),
            (
                "ana valid-after=\"2025-01-01\" KEY",
                """
                "2025-01-01" is not a valid time; write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, and Z behind it for \
                UTC
                """
            ),
            (
                "ana valid-before=\"20250101\",valid-after=\"20250101\" KEY",
                "valid-before is not after valid-after, so the key is never valid"
            ),
            ("ana ssh-ed25519", "the public key is damaged: no base64 follows its type"),
            ("ana ssh-ed25519 AAAA", "the public key is damaged: its line and its bytes name different types"),
            (try "ana " + Vectors.text("ecdsa-384.pub"), "keys of type \"ecdsa-sha2-nistp384\" are not accepted"),
            (try "ana " + Vectors.text("ed25519-cert.pub"), "this is a certificate"),
            ("ana KEY a\u{1b}b", "it contains a control character"), ("ana\0 KEY", "it contains a control character"),
            ("ana KEY " + String(repeating: "x", count: 9_000), "it is longer than 8192 bytes"),
        ]
        for (line, words) in all {
            let text = "# a file\nben KEY\n\(line)\nana *\n".replacing("KEY", with: key)
            let found = Self.problem(text)?.words ?? "accepted"
            #expect(found.hasPrefix("line 3: \(words)"), "\(line): \(found)")
        }
    }

    @Test func filesAreBounded() throws {
        let line = "ana \(try Vectors.key("ed25519").line)\n"
        let most = String(repeating: line, count: SignatureLimits.allowedSignersCount)
        #expect(try AllowedSigners.entries(most).count == SignatureLimits.allowedSignersCount)
        #expect(Self.problem(most + line)?.words == "line 4097: the file has more than 4096 keys")
        let long = String(repeating: "#\n", count: SignatureLimits.allowedSignersBytes / 2)
        #expect(try AllowedSigners.entries(long).isEmpty)
        #expect(Self.problem(long + "#")?.reason == .fileTooLong)
    }

    @Test(
        arguments: [
            ("19700101000001", 1, false), ("20000229", 951_782_400, false), ("20240229Z", 1_709_164_800, true),
            ("21000301", 4_107_542_400, false), ("202512312359", 1_767_225_540, false),
            ("20251231235959z", 1_767_225_599, true), ("20380119031408UTC", 2_147_483_648, true),
            ("99991231235959", 253_402_300_799, false),
        ])
    func timesAreRead(_ text: String, _ seconds: Int64, _ isUTC: Bool) throws {
        let entries = try AllowedSigners.entries("ana valid-after=\"\(text)\" \(try Vectors.key("ed25519").line)")
        #expect(entries.first?.validAfter == .init(secondsReadAsUTC: seconds, isUTC: isUTC))
    }

    @Test(
        arguments: [
            "", "Z", "2025", "2025010", "202501011", "20251301", "20250001", "20250100", "20250229", "21000229",
            "20250431",
            "2025010124", "202501012400", "202501010060", "20250101000060", "19691231", "19700101", "20250101ZZ",
            "20250101 ",
            "+2025101", "2025010१", "20250101EST",
        ])
    func whatIsNoTimeIsRefused(_ text: String) throws {
        let problem = Self.problem("ana valid-before=\"\(text)\" \(try Vectors.key("ed25519").line)")
        #expect(problem?.reason == .badTime(text))
    }

    /// Lines that ssh-keygen reads and ours refuses.
    private enum Stricter {
        /// ssh-keygen accepts the signature by it.
        case pattern
        /// A time that no calendar has; ssh-keygen counts on from the one before.
        case calendar
    }

    /// Whether a signature of the key counts, by ssh-keygen and by what was read here, in lines of all forms.
    @Test func linesMeanWhatTheyMeanToSSHKeygen() async throws {
        let armour = try Vectors.bytes("ed25519.sig")
        let message = try Vectors.message()
        let (key, other) = (try Vectors.key("ed25519"), try Vectors.key("ecdsa"))
        let plain: [(String, Stricter?)] = [
            ("tester KEY", nil), ("tester\tKEY", nil), ("  tester  KEY  a comment", nil), ("a,tester,b KEY", nil),
            ("tester OTHER", nil), ("ana KEY", nil), ("tester KEY\r", nil), ("#tester KEY", nil), ("", nil),
            ("*ster KEY", .pattern), ("t?ster KEY", .pattern), ("a,!b,* KEY", .pattern), ("\"tester\" KEY", .pattern),
            ("!tester KEY", nil), ("TESTER KEY", nil), ("tester", nil), ("tester x KEY", nil), ("tester KEYx", nil),
            ("tester cert-authority KEY", nil), ("tester namespaces=\"SPACE\" KEY", nil),
            ("tester NameSpaces=\"a,SPACE\" KEY", nil), ("tester namespaces=\"a\" KEY", nil),
            ("tester namespaces=\"lock*\" KEY", .pattern), ("tester namespaces=SPACE KEY", nil),
            ("tester namespaces=\"SPACE\", KEY", nil), ("tester namespaces=\"SPACE\" , KEY", nil),
            ("tester namespaces=\"SPACE\",namespaces=\"SPACE\" KEY", nil), ("tester namespaces=\"SPACE KEY", nil),
            ("tester namespaces=\"SPACE\"valid-after=\"20200101\" KEY", nil), ("tester no-option KEY", nil),
            ("tester valid-after=\"20250101\",valid-before=\"20260101\" KEY", nil),
            ("tester valid-after=\"20260101\",valid-before=\"20250101\" KEY", nil),
            ("tester valid-after=\"20250101\",valid-before=\"20250101\" KEY", nil),
            ("tester namespaces=\"SPACE\",valid-before=\"202506151200\" KEY", nil),
        ]
        // Both sides of the time of verification, in every form, and days that no calendar has.
        let times: [(String, Stricter?)] =
            [
                "20250614", "20250615", "20250615Z", "20250616", "202506151159", "202506151200", "202506151200Z",
                "202506151201",
                "20250615115959", "20250615120000", "20250615120001UTC", "2025", "20251301", "2025-06-15", "19700101",
                "",
                "20250615120000z",
            ].map { ($0, nil) } + [("20250230", .calendar), ("20240230", .calendar), ("20250615115960", .calendar)]
        let timed = times.flatMap { time, strict in
            ["after", "before"].map { ("tester valid-\($0)=\"\(time)\" KEY", strict) }
        }
        let lines = (plain + timed).map { line, strict in
            let written = line.replacing("KEY", with: key.line).replacing("OTHER", with: other.line)
            return (text: written.replacing("SPACE", with: Vectors.namespace) + "\n", strict: strict)
        }
        try await OpenSSHProgram.with { program in
            let theirs = try await OpenSSHProgram.concurrently(lines.count) { index in
                try program.write([UInt8](lines[index].text.utf8), to: "allowed-\(index)")
                return try program.accepts(
                    armour, message: message, namespace: Vectors.namespace, allowed: "allowed-\(index)",
                    name: "\(index)",
                    options: ["-Overify-time=20250615120000"])
            }
            var good = 0
            for (line, theirs) in zip(lines, theirs) {
                let ours = Self.counts(key, in: line.text)
                if line.strict == nil {
                    #expect(ours == theirs, "\(line.text): ssh-keygen \(theirs ? "accepts" : "refuses")")
                } else {
                    #expect(!ours && Self.problem(line.text) != nil, "\(line.text)")
                    #expect(theirs || line.strict == .calendar, "\(line.text) is no difference any more")
                }
                good += theirs ? 1 : 0
            }
            #expect((20...lines.count - 20).contains(good), "\(good) of \(lines.count)")
        }
    }

    /// Whether the tester may sign with the key on 2025-06-15 at noon in UTC.
    private static func counts(_ key: SSHPublicKey, in text: String) -> Bool {
        let noon: Int64 = 1_749_988_800
        return (try? AllowedSigners.entries(text))?.contains { entry in
            entry.key == key && entry.principals.contains("tester")
                && entry.namespaces?.contains(Vectors.namespace) != false
                && (entry.validAfter?.secondsReadAsUTC ?? 0) <= noon
                && noon <= (entry.validBefore?.secondsReadAsUTC ?? .max)
        } ?? false
    }
}
