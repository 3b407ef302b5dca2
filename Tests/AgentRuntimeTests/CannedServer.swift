import Foundation
import Glibc
import Synchronization

/// A TCP server on loopback that answers each connection with the next of its texts.
final class CannedServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let received = Received()

    private final class Received: Sendable { let texts = Mutex<[String]>([]) }

    var requests: [String] { received.texts.withLock { $0 } }

    /// - Parameter staysOpen: whether each connection stays open and silent after the text.
    init(_ answers: [String], staysOpen: Bool = false) throws {
        (listener, port) = try CannedServer.listen()
        let listener = listener
        Thread.detachNewThread { [received] in
            var open: [Int32] = []
            for answer in answers {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { break }
                var request: [UInt8] = []
                var chunk = [UInt8](repeating: 0, count: 4_096)
                while !String(decoding: request, as: UTF8.self).contains("\r\n\r\n") {
                    let count = read(connection, &chunk, chunk.count)
                    guard count > 0 else { break }
                    request += chunk[..<count]
                }
                received.texts.withLock { $0.append(String(decoding: request, as: UTF8.self)) }
                CannedServer.send(Array(answer.utf8), to: connection)
                if staysOpen { open.append(connection) } else { close(connection) }
            }
            // Runs until the listener is shut down.
            _ = accept(listener, nil, nil)
            for connection in open { close(connection) }
            close(listener)
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    /// A listening socket on loopback, and its port.
    static func listen() throws -> (socket: Int32, port: UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && Glibc.listen(listener, 8) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard bound else { throw Surprise("no loopback port: \(errno)") }
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    static func send(_ bytes: [UInt8], to connection: Int32) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }
}
