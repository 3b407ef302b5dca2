import Testing

@testable import Commands

/// Signatures are found in what people paste, and nothing else is taken for signed.
struct SignatureBlocksTests {
    static let block = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\nAAAA\n-----END SSH SIGNATURE-----\n"

    @Test func severalAreFoundAndWhatIsAroundThemIsCounted() {
        let blocks = SignatureBlocks(in: "Hi,\n\n\(Self.block)and\n\(Self.block)")
        #expect(blocks.armoured == [Self.block, Self.block])
        #expect(blocks.otherLines == 2 && blocks.firstOther == "Hi," && !blocks.isCut)
    }

    @Test func lineEndsAndIndentsOfAMailDoNotMatter() {
        let mailed = Self.block.split(separator: "\n").map { "  \($0)\r\n" }.joined()
        #expect(SignatureBlocks(in: mailed) == SignatureBlocks(in: Self.block))
    }

    @Test(arguments: [
        "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n", "-----BEGIN SSH SIGNATURE-----\nU1NI\n\(block)",
        "\(block)\(block.dropLast(30))",
    ])
    func aSignatureThatIsCutIsNoticed(_ text: String) {
        #expect(SignatureBlocks(in: text).isCut)
    }

    @Test func nothingElseIsASignature() {
        let other = SignatureBlocks(in: "-----BEGIN SSH SIGNATURE----- \nx-----END SSH SIGNATURE-----")
        #expect(other.armoured.isEmpty && other.isCut)
        #expect(SignatureBlocks(in: "").armoured.isEmpty && !SignatureBlocks(in: "").isCut)
    }
}
