/// The forms in which a server may say a secret back: as it is, in JSON, in a URL, in base64.
enum SecretForms {
    static func of(_ secret: [UInt8]) -> [[UInt8]] {
        let inJSON = [false, true].map { json(secret, escapesSlash: $0) }
        // A document inside of a document's string, such as a logged one.
        let twice = zip(inJSON, [false, true]).map { json($0, escapesSlash: $1) }
        let inURL = ["0123456789ABCDEF", "0123456789abcdef"].flatMap { digits in
            ["%20", "+"].map { percent(secret, digits: digits, space: $0) }
        }
        return [secret] + inJSON + twice + inURL + base64(secret)
    }

    /// A string's inside (RFC 8259 section 7); a secret has no control characters.
    private static func json(_ secret: [UInt8], escapesSlash: Bool) -> [UInt8] {
        secret.flatMap { byte -> [UInt8] in
            let isEscaped =
                byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
                || (escapesSlash && byte == UInt8(ascii: "/"))
            return isEscaped ? [UInt8(ascii: "\\"), byte] : [byte]
        }
    }

    /// RFC 3986 section 2; `space` is `+` in forms.
    private static func percent(_ secret: [UInt8], digits: String, space: String) -> [UInt8] {
        let digits = Array(digits.utf8)
        return secret.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                [byte]
            case UInt8(ascii: " "): Array(space.utf8)
            case _: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }

    /// RFC 4648 sections 4 and 5: what stays the same of a secret's base64 whatever stands before and after it, for each
    /// place in which it can begin in a group of three bytes.
    private static func base64(_ secret: [UInt8]) -> [[UInt8]] {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        return [Array("+/".utf8), Array("-_".utf8)].flatMap { last in
            (0..<3).map { lead in
                // Six bits to a letter; a letter that bits of a neighbour share is left out.
                let bits = lead * 8..<(lead + secret.count) * 8
                return ((bits.lowerBound + 5) / 6..<bits.upperBound / 6).map { place in
                    let value = (0..<6).reduce(0) { value, bit in
                        let position = place * 6 + bit - lead * 8
                        return value << 1 | Int(secret[position / 8] >> UInt8(7 - position % 8) & 1)
                    }
                    return (letters + last)[value]
                }
            }
        }
    }
}
