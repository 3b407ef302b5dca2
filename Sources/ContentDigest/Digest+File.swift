import Crypto
import Glibc
package import UpgradeDomain

extension UpgradeDomain.Digest {
    /// The SHA-256 of a file, or of its first bytes; nil if it cannot be read.
    package static func ofFile(_ path: String, limitBytes: Int64 = .max) -> UpgradeDomain.Digest? {
        let descriptor = openOrdinaryFile(path)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return ofFile(descriptor: descriptor, limitBytes: limitBytes)
    }

    /// The same for an open file, from its current read position.
    package static func ofFile(descriptor: Int32, limitBytes: Int64) -> UpgradeDomain.Digest? {
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

/// Opens a file for reading if it is a regular file. A FIFO, a device or a socket could block a reader, or send it
/// bytes, forever.
///
/// - Returns: -1 if it cannot be opened; `errno` gives the reason. It is EINVAL for anything but a regular file.
package func openOrdinaryFile(_ path: String) -> Int32 {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard descriptor >= 0 else { return descriptor }
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG { return descriptor }
    close(descriptor)
    errno = EINVAL
    return -1
}
