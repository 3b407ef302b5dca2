import Glibc

/// A TCP port of any address, or of one: `8101`, `10.0.0.5:8101`, `[::1]:8101`.
struct ListeningPort {
    private let port: UInt16
    /// In network order, 4 or 16 bytes; nil for any.
    private let address: [UInt8]?

    init?(_ text: String) {
        let colon = text.lastIndex(of: ":")
        guard let port = UInt16(colon.map { text[text.index(after: $0)...] } ?? text[...]), port > 0 else { return nil }
        self.port = port
        guard let colon else {
            address = nil
            return
        }
        let name = String(text[..<colon].drop { $0 == "[" }.prefix { $0 != "]" })
        guard let bytes = ListeningPort.bytes(of: name) else { return nil }
        address = bytes
    }

    private static func bytes(of name: String) -> [UInt8]? {
        for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: size)
            if inet_pton(family, name, &bytes) == 1 { return bytes }
        }
        return nil
    }

    /// The listening sockets in the tables that a process sees (proc(5)); `process` is its folder in /proc.
    func sockets(in process: String) -> Set<String> {
        var sockets: Set<String> = []
        for table in ["tcp", "tcp6"] {
            let path = "\(process)/net/\(table)"
            let text = RunningProcess.text(of: path, limitBytes: AgentLimits.processTableBytes) ?? ""
            for line in text.split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ", omittingEmptySubsequences: true)
                // 0A is LISTEN; the local address and its port are hexadecimal, with a colon between them.
                guard fields.count > 9, fields[3] == "0A", let colon = fields[1].firstIndex(of: ":"),
                    UInt16(fields[1][fields[1].index(after: colon)...], radix: 16) == port,
                    accepts(fields[1][..<colon])
                else { continue }
                sockets.insert("socket:[\(fields[9])]")
            }
        }
        return sockets
    }

    /// Whether a local address is the one that is meant, or stands for every address.
    private func accepts(_ digits: Substring) -> Bool {
        guard let address else { return true }
        // Words of 32 bits, each printed as a number of this machine, so that its memory is in network order.
        var bytes: [UInt8] = []
        var rest = digits
        while !rest.isEmpty {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return false }
            withUnsafeBytes(of: word) { bytes += $0 }
            rest = rest.dropFirst(8)
        }
        let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]
        return bytes == address || bytes.allSatisfy { $0 == 0 } || bytes == mapped + address
    }

    /// The sockets that a process holds; nil where this user may not look.
    static func sockets(of pid: Int32) -> Set<String>? {
        let folder = "/proc/\(pid)/fd"
        guard access(folder, R_OK | X_OK) == 0 else { return errno == ENOENT ? [] : nil }
        return Set(Folder(path: folder).names().compactMap { RunningProcess.link("\(folder)/\($0)") })
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
