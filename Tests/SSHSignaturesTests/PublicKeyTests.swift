import Foundation
import SSHSignatures
import Testing

struct PublicKeyTests {
    private static func words(_ line: String) -> String? {
        do throws(SignatureProblem) {
            _ = try SSHPublicKey(line: line)
            return nil
        } catch { return error.words }
    }

    private static func wire(_ fields: [[UInt8]]) -> [UInt8] {
        var writer = SSHWireWriter()
        for field in fields { writer.string(field) }
        return writer.bytes
    }

    private static func words(_ fields: [[UInt8]]) -> String? {
        do throws(SignatureProblem) {
            _ = try SSHPublicKey(blob: wire(fields))
            return nil
        } catch { return error.words }
    }

    @Test func aLineMayHaveACommentAndSpaces() throws {
        let key = try Vectors.key("ed25519")
        for line in [
            "\(key.line)\n", "  \(key.line) ana@example, her key\r\n",
            key.line.replacing(" ", with: "\t "),
        ] { #expect(try SSHPublicKey(line: line) == key) }
    }

    @Test func linesThatAreNoKeyAreRefusedWithTheReason() throws {
        let line = try Vectors.key("ed25519").line
        let base64 = line.split(separator: " ")[1]
        #expect(Self.words("") == "the public key is damaged: the line is empty")
        #expect(Self.words("ssh-ed25519") == "the public key is damaged: no base64 follows its type")
        #expect(Self.words("ssh-ed25519 ????") == "the public key is damaged: no base64 follows its type")
        #expect(Self.words("\(line)=") == "the public key is damaged: no base64 follows its type")
        #expect(
            Self.words("ecdsa-sha2-nistp256 \(base64)")
                == "the public key is damaged: its line and its bytes name different types")
        #expect(Self.words("\(line)\n\(line)") == "the public key is damaged: it is not on one line")
        #expect(Self.words("\(line)\0") == "the public key is damaged: it is not on one line")
        #expect(
            Self.words("\(line) \(String(repeating: "x", count: SignatureLimits.keyLineBytes))")
                == "the public key is damaged: its line is longer than 8192 bytes")
        #expect(Self.words("restrict \(line)")?.hasPrefix("keys of type \"restrict\" are not accepted") == true)
        #expect(Self.words("ssh-dss AAAA")?.hasPrefix("keys of type") == false)
        #expect(Self.words("SSH-ED25519 \(base64)")?.hasPrefix("keys of type \"SSH-ED25519\"") == true)
    }

    @Test func blobsThatAreNoKeyAreRefusedWithTheReason() throws {
        let text: (String) -> [UInt8] = { [UInt8]($0.utf8) }
        let point = try #require(try Self.point())
        #expect(Self.words([]) == "the public key is damaged: it names no type")
        #expect(Self.words([[]]) == "the public key is damaged: it names no type")
        #expect(Self.words([text("ssh-dss")])?.hasPrefix("keys of type \"ssh-dss\"") == true)
        for count in [0, 31, 33] {
            #expect(Self.words([text("ssh-ed25519"), Array(repeating: 1, count: count)])?.contains("32 bytes") == true)
        }
        #expect(Self.words([text("ecdsa-sha2-nistp256"), text("nistp384"), point])?.contains("its curve") == true)
        // Not on the curve, a short form of the point, and the point at infinity.
        let wrongOnes: [[UInt8]] = [[4] + [UInt8](repeating: 1, count: 64), [2] + point[1...32], [0]]
        for wrong in wrongOnes {
            #expect(
                Self.words([text("ecdsa-sha2-nistp256"), text("nistp256"), wrong])
                    == "the public key is damaged: it is not an uncompressed point of the curve P-256")
        }
        #expect(
            Self.words([text("sk-ssh-ed25519@openssh.com"), Array(repeating: 1, count: 32)])?.contains("application")
                == true)
        let long = text("ssh:" + String(repeating: "x", count: 252))
        #expect(
            Self.words([text("sk-ssh-ed25519@openssh.com"), Array(repeating: 1, count: 32), long])
                == "the public key is damaged: it names no application")
    }

    /// Two spellings of a number would be two keys, which one person could sign with.
    @Test func numbersOfRSAHaveOneSpelling() throws {
        let text = [UInt8]("ssh-rsa".utf8)
        let odd: [UInt8] = [0x7f] + [UInt8](repeating: 0xff, count: 255) + [0xff]
        #expect(Self.words([text, [1, 0, 1], odd]) == nil)
        for (exponent, modulus) in [
            ([1, 0, 1], [0] + odd), ([0, 1, 0, 1], odd), ([], odd), ([1, 0, 1], []), ([0], odd), ([0x81], odd),
            ([1, 0, 1], [0xff] + odd),
        ] as [([UInt8], [UInt8])] {
            #expect(
                Self.words([text, exponent, modulus])
                    == "the public key is damaged: its RSA numbers are not positive numbers in their shortest form")
        }
        // An even exponent, one of 41 bits, and an even modulus.
        for (exponent, modulus) in [([2], odd), ([1, 0, 0, 0, 0, 1], odd), ([3], odd.dropLast() + [0xfe])]
            as [([UInt8], [UInt8])]
        {
            #expect(
                Self.words([text, exponent, modulus]) == "the public key is damaged: its RSA numbers cannot be used")
        }
    }

    @Test(arguments: [(1023, 1023), (2047, 2047), (2048, 2048), (3073, 3073), (8192, 8192)])
    func bitsAreCountedFromTheHighestOne(_ bits: Int, _ counted: Int) throws {
        var modulus = [UInt8](repeating: 0xff, count: (bits + 7) / 8)
        if bits % 8 != 0 { modulus[0] = (1 << UInt8(bits % 8)) - 1 }
        if modulus[0] >= 0x80 { modulus.insert(0, at: 0) }
        let blob = Self.wire([[UInt8]("ssh-rsa".utf8), [1, 0, 1], modulus])
        #expect(try SSHPublicKey(blob: blob).kind == .rsa(bits: counted))
    }

    private static func point() throws -> [UInt8]? {
        var reader = SSHWireReader(try Vectors.key("ecdsa").blob)
        _ = (reader.string(), reader.string())
        return reader.string().map { [UInt8]($0) }
    }
}
