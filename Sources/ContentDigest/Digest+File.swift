import Crypto
import Glibc
public import UpgradeDomain

extension UpgradeDomain.Digest {
    /// The SHA-256 of a file, or of its first bytes; nil when it can not be read.
    public static func ofFile(_ path: String, limitBytes: Int64 = .max) -> UpgradeDomain.Digest? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var hash = SHA256()
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var left = limitBytes
        while left > 0 {
            let count = read(descriptor, &chunk, Int(min(left, Int64(chunk.count))))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            chunk.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            left -= Int64(count)
        }
        return UpgradeDomain.Digest(hash: hash.finalize())
    }
}
