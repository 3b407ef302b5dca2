import Glibc

/// Where an HTTP surface points.
struct HTTPTarget: Hashable, Sendable {
    enum Route: Hashable, Sendable {
        /// Plain HTTP to an address: the agent speaks it itself.
        case address(String, port: Int)
        /// TLS or a name to look up: the host's own curl, which has the host's trust store and resolver.
        case curl
    }
    var route: Route
    /// The authority as written, for the Host header.
    var authority: String
    /// Path and query.
    var path: String

    /// Reads an absolute `http` or `https` URL; nil for anything else, as for spaces and control characters.
    init?(url: String) {
        guard url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }), let colon = url.firstIndex(of: ":") else {
            return nil
        }
        let scheme = url[..<colon].lowercased()
        let rest = url[url.index(after: colon)...]
        guard ["http", "https"].contains(scheme), rest.hasPrefix("//") else { return nil }
        let afterSlashes = rest.dropFirst(2).prefix { $0 != "#" }
        let authority = afterSlashes.prefix { $0 != "/" && $0 != "?" }
        guard !authority.isEmpty, !authority.contains("@") else { return nil }
        let path = afterSlashes.dropFirst(authority.count)
        self.path = path.hasPrefix("/") ? String(path) : "/" + path
        self.authority = String(authority)
        route = .curl
        guard let (host, port) = HTTPTarget.hostAndPort(authority) else { return nil }
        if scheme == "http", let address = HTTPTarget.address(host) { route = .address(address, port: port ?? 80) }
    }

    private static func hostAndPort(_ authority: Substring) -> (host: String, port: Int?)? {
        var host = authority
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            portText = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { return nil }
        guard let portText, !portText.isEmpty else { return (String(host), nil) }
        guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(portText),
            (1...65_535).contains(port)
        else { return nil }
        return (String(host), port)
    }

    /// The address that a host names without a look-up: a static executable has none (no NSS).
    private static func address(_ host: String) -> String? {
        if host.lowercased() == "localhost" { return "127.0.0.1" }
        var address = [UInt8](repeating: 0, count: 16)
        let isAddress = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
        return isAddress ? host : nil
    }
}
