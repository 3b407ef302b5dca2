import SSHSignatures
import Testing

struct ArmourTests {
    private static func problem(_ text: String) -> String? {
        do throws(SignatureProblem) {
            _ = try SSHSignature(armored: [UInt8](text.utf8))
            return nil
        } catch { return error.words }
    }

    @Test func lineEndsAndWhiteSpaceAroundAreNoMatter() throws {
        let text = try Vectors.text("ecdsa.sig")
        let signature = try Vectors.signature("ecdsa")
        for variant in [
            text, text.replacing("\n", with: "\r\n"), " \n\t" + text + "\n \n", String(text.dropLast()),
        ] { #expect(try SSHSignature(armored: [UInt8](variant.utf8)) == signature) }
    }

    @Test(
        arguments: [
            ("", "it does not begin with -----BEGIN SSH SIGNATURE-----"),
            ("x\nTEXT", "it does not begin with -----BEGIN SSH SIGNATURE-----"),
            ("-----BEGIN SSH SIGNATURE-----\nAAAA\n", "it has no -----END SSH SIGNATURE-----"),
            ("TEXTx", "something follows -----END SSH SIGNATURE-----"),
            ("TEXTTEXT", "something follows -----END SSH SIGNATURE-----"),
            ("TEXT\u{0}", "it is not ASCII text"), ("TEXT\u{e9}", "it is not ASCII text"),
            (
                "-----BEGIN SSH SIGNATURE-----\n\nAAAA\n-----END SSH SIGNATURE-----",
                "a line between is empty or longer than 76 characters"
            ),
            (
                "-----BEGIN SSH SIGNATURE-----\nAA\n=A\n-----END SSH SIGNATURE-----",
                "what is between its first and last line is not base64"
            ),
            // The same bytes in another spelling: the unused bits of the last character are not zero.
            (
                "-----BEGIN SSH SIGNATURE-----\nAAF=\n-----END SSH SIGNATURE-----",
                "what is between its first and last line is not base64"
            ),
        ])
    func anythingElseIsRefused(_ text: String, _ words: String) throws {
        let problem = Self.problem(text.replacing("TEXT", with: try Vectors.text("ecdsa.sig")))
        #expect(problem == "this is not an armoured SSH signature: \(words)")
    }

    @Test func lengthsAreBounded() throws {
        let line = String(repeating: "A", count: 77) + "\n"
        #expect(
            Self.problem("-----BEGIN SSH SIGNATURE-----\n\(line)-----END SSH SIGNATURE-----")?
                .contains("longer than 76 characters") == true)
        let space = String(repeating: " ", count: SignatureLimits.armourBytes)
        #expect(Self.problem(try Vectors.text("ecdsa.sig") + space)?.contains("it is longer than 16384 bytes") == true)
        // The longest key that is accepted fits.
        let longest = SignatureParts(
            key: [], namespace: [], hash: [],
            proof: [UInt8](repeating: 1, count: 2 * SignatureLimits.rsaBits / 8 + 2 * SignatureLimits.nameBytes))
        #expect(longest.armour.count < SignatureLimits.armourBytes / 2)
    }

    /// The field is not signed, so it may contain anything and changes nothing.
    @Test func theReservedFieldIsSkippedAndKept() throws {
        var parts = try #require(SignatureParts(try Vectors.signature("ecdsa").blob))
        parts.reserved = [1, 2, 3]
        let signature = try SSHSignature(armored: parts.armour)
        let key = try signature.verify(message: try Vectors.message(), namespace: Vectors.namespace)
        #expect(try key == Vectors.key("ecdsa"))
        #expect(Array(signature.armored.utf8) == parts.armour)
        #expect(try signature != Vectors.signature("ecdsa"))
    }
}
