import Crypto
public import UpgradeDomain

extension UpgradeDomain.Digest {
    /// The SHA-256 of some bytes.
    public static func sha256(of bytes: [UInt8]) -> UpgradeDomain.Digest {
        UpgradeDomain.Digest(hash: SHA256.hash(data: bytes))
    }

    /// The SHA-256 of a value's canonical JSON.
    public static func canonical(of value: some Encodable) throws -> UpgradeDomain.Digest {
        sha256(of: try CanonicalJSON.encode(value))
    }

    private init(hash: SHA256Digest) {
        let hex = hash.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        self.init("sha256:" + hex)
    }
}
