import SSHSignatures

/// What a server sent unencrypted before encryption began: its banner and its lists of algorithms.
///
/// libssh2 reports a failed negotiation with a single number. This finds the list that had nothing in common (RFC 4253
/// sections 4.2 and 7.1).
struct ServerOffer: Equatable {
    /// The lists of SSH_MSG_KEXINIT that a negotiation can fail on, in wire order.
    enum List: Int, CaseIterable {
        case keyExchange, hostKey, cipherToServer, cipherToClient, macToServer, macToClient

        var noun: String {
            switch self {
            case .keyExchange: "key exchange"
            case .hostKey: "host key type"
            case .cipherToServer, .cipherToClient: "cipher"
            case .macToServer, .macToClient: "MAC"
            }
        }

        /// The sshd_config keyword that extends the list.
        var serverOption: String {
            switch self {
            case .keyExchange: "KexAlgorithms"
            case .hostKey: "HostKeyAlgorithms"
            case .cipherToServer, .cipherToClient: "Ciphers"
            case .macToServer, .macToClient: "MACs"
            }
        }
    }

    /// A list in which server and client have no common name.
    struct Mismatch: Equatable {
        let list: List
        let offered: [String]
        let supported: [String]
    }

    private let names: [List: [String]]

    /// Parses the first bytes from the server; nil until its algorithm lists are complete.
    init?(greeting: [UInt8]) {
        guard let start = Self.packetStart(greeting) else { return nil }
        var packet = SSHWireReader(greeting, from: start)
        guard packet.uint32() != nil, packet.take(1) != nil, packet.take(1)?.first == 20, packet.take(16) != nil
        else { return nil }
        var names: [List: [String]] = [:]
        for list in List.allCases {
            guard let offered = packet.names() else { return nil }
            names[list] = offered
        }
        self.names = names
    }

    /// The first list without a common name, in negotiation order.
    func mismatch(supported: (List) -> [String]) -> Mismatch? {
        for list in List.allCases {
            let offered = names[list] ?? []
            let ours = supported(list)
            if Set(offered).isDisjoint(with: ours) { return Mismatch(list: list, offered: offered, supported: ours) }
        }
        return nil
    }

    /// The offset after the line that starts with `SSH-`; servers may send other lines before it.
    private static func packetStart(_ greeting: [UInt8]) -> Int? {
        var lineStart = 0
        while let newline = greeting[lineStart...].firstIndex(of: 0x0a) {
            if greeting[lineStart..<newline].starts(with: "SSH-".utf8) { return newline + 1 }
            lineStart = newline + 1
        }
        return nil
    }

    /// The first line that a peer sent, for display; nil if it sent nothing.
    static func firstLine(_ greeting: [UInt8]) -> String? {
        let line = greeting.prefix(while: { $0 != 0x0a && $0 != 0x0d })
        return line.isEmpty ? nil : printable(line)
    }
}
