import Crypto
package import UpgradeDomain

extension UpgradeDomain.Digest {
    /// The SHA-256 of some bytes.
    package static func sha256(of bytes: [UInt8]) -> UpgradeDomain.Digest {
        UpgradeDomain.Digest(hash: SHA256.hash(data: bytes))
    }

    /// The SHA-256 of a value's canonical JSON.
    package static func canonical(of value: some Encodable) throws -> UpgradeDomain.Digest {
        sha256(of: try CanonicalJSON.encode(value))
    }

    init(hash: SHA256Digest) {
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("sha256:".utf8)
        text.reserveCapacity(text.count + 64)
        for byte in hash {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        self.init(String(decoding: text, as: UTF8.self))
    }
}
