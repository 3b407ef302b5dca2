import Glibc
import SafeText

/// A TCP port on any address, or on one: `8101`, `10.0.0.5:8101`, `[::1]:8101`.
struct ListeningPort {
    private let port: UInt16
    /// In network byte order, 4 or 16 bytes; nil for any address.
    private let address: [UInt8]?

    init?(_ text: String) {
        let halves = text.cut(atLast: ":")
        guard let port = UInt16(halves?.after ?? text[...]), port > 0 else { return nil }
        self.port = port
        guard let halves else {
            address = nil
            return
        }
        let name = Substring(halves.before.utf8.drop { $0 == UInt8(ascii: "[") }).prefix(upToAnyOf: "]")
        guard let bytes = ListeningPort.bytes(of: String(name)) else { return nil }
        address = bytes
    }

    private static func bytes(of name: String) -> [UInt8]? {
        for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: size)
            if inet_pton(family, name, &bytes) == 1 { return bytes }
        }
        return nil
    }

    /// The listening sockets in the tables that a process sees (proc(5)). `process` is its folder in /proc.
    func sockets(in process: String) -> Set<String> {
        var sockets: Set<String> = []
        for table in ["tcp", "tcp6"] {
            let lines = ListeningPort.listening(in: "\(process)/net/\(table)")
            for line in lines.split(separator: UInt8(ascii: "\n")).dropFirst() {
                if let inode = inode(of: line) { sockets.insert("socket:[\(inode)]") }
            }
        }
        return sockets
    }

    /// A table up to its first line that is not a listening socket. Listening sockets come first, and a busy host has
    /// one more line per connection.
    private static func listening(in table: String) -> [UInt8] {
        let descriptor = open(table, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while bytes.count < AgentLimits.processTableBytes {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += chunk[..<count]
            let last = chunk[..<count].split(separator: UInt8(ascii: "\n")).last ?? []
            if isConnection(last) { break }
        }
        return bytes
    }

    /// Also false for the heading, which is the last line if no socket follows, and for a line that is cut before its
    /// state.
    private static func isConnection(_ line: ArraySlice<UInt8>) -> Bool {
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 4)
        // Kernels before 4.4 list sockets that are about to be connections (03, SYN_RECV) among the listening ones.
        return fields.count > 4 && !isListening(fields[3]) && !fields[3].elementsEqual("03".utf8)
    }

    /// 0A is LISTEN.
    private static func isListening(_ state: ArraySlice<UInt8>) -> Bool { state.elementsEqual("0A".utf8) }

    /// The inode of the socket in a line, if it listens here.
    private func inode(of line: ArraySlice<UInt8>) -> String? {
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 10)
        guard fields.count > 9, ListeningPort.isListening(fields[3]) else { return nil }
        // The local address and its port are hexadecimal, separated by a colon.
        let local = fields[1].split(separator: UInt8(ascii: ":")).map { String(decoding: $0, as: UTF8.self) }
        guard local.count == 2, UInt16(local[1], radix: 16) == port, accepts(local[0]) else { return nil }
        return String(decoding: fields[9], as: UTF8.self)
    }

    /// Whether a local address matches this one, or means every address.
    private func accepts(_ digits: String) -> Bool {
        guard let address else { return true }
        // Words of 32 bits, each printed as a number in this machine's byte order, so its memory is in network byte
        // order.
        var bytes: [UInt8] = []
        var rest = digits.utf8[...]
        while !rest.isEmpty {
            guard let word = UInt32(String(decoding: rest.prefix(8), as: UTF8.self), radix: 16) else { return false }
            withUnsafeBytes(of: word) { bytes += $0 }
            rest = rest.dropFirst(8)
        }
        let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]
        return bytes == address || bytes.allSatisfy { $0 == 0 } || bytes == mapped + address
    }

    /// The sockets that a process holds; nil if this user may not inspect it.
    static func sockets(of pid: Int32) -> Set<String>? {
        let folder = "/proc/\(pid)/fd"
        guard access(folder, R_OK | X_OK) == 0 else { return errno == ENOENT ? [] : nil }
        return Set(Folder(path: folder).names().compactMap { SystemFile.link("\(folder)/\($0)") })
    }

    /// The first process that listens here.
    func listener() -> Int32? {
        let wanted = sockets(in: "/proc/self")
        guard !wanted.isEmpty else { return nil }
        return Folder(path: "/proc").names().compactMap { Int32($0) }.sorted().first { pid in
            ListeningPort.sockets(of: pid).map { !$0.isDisjoint(with: wanted) } == true
        }
    }
}
