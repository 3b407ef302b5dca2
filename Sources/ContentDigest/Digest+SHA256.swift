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

    /// The 32 bytes of the SHA-256 of some bytes.
    package static func sha256Bytes(of bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

    /// - Parameter bytes: the 32 bytes of a SHA-256.
    package init(bytes: [UInt8]) { self.init(hash: bytes) }

    /// Its 32 bytes; nil if it is no SHA-256.
    package var bytes: [UInt8]? {
        guard isSHA256 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        var high: UInt8?
        for digit in rawValue.utf8.dropFirst(7) {
            let value = digit < 0x3a ? digit - 0x30 : digit - 0x57
            if let first = high { bytes.append(first << 4 | value) }
            high = high == nil ? value : nil
        }
        return bytes
    }

    init(hash: some Sequence<UInt8>) {
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

extension ReleaseManifest {
    /// The SHA-256 of its text, which is what is signed.
    package var digest: UpgradeDomain.Digest { .sha256(of: Array(text.utf8)) }
}
