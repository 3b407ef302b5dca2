import Glibc
import SafeText

/// The target of an HTTP surface.
struct HTTPTarget: Hashable, Sendable {
    enum Route: Hashable, Sendable {
        /// Plain HTTP to an address: the agent sends the request itself.
        case address(String, port: Int)
        /// TLS, or a name to resolve: uses the host's own curl, which has the host's trust store and resolver.
        case curl
    }
    var route: Route
    /// The authority as written, for the Host header.
    var authority: String
    /// Path and query.
    var path: String

    /// Reads an absolute `http` or `https` URL; nil for anything else, including spaces and control characters.
    init?(url: String) {
        guard url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }), let halves = url.cut(at: ":"),
            let afterSlashes = halves.after.rest(after: "//")?.prefix(upToAnyOf: "#")
        else { return nil }
        let scheme = halves.before.lowercased()
        guard ["http", "https"].contains(scheme) else { return nil }
        let authority = afterSlashes.prefix(upToAnyOf: "/?")
        guard !authority.isEmpty, !authority.holds(anyOf: "@") else { return nil }
        let path = afterSlashes.dropFirst(authority.count)
        self.path = path.begins(with: "/") ? String(path) : "/" + path
        self.authority = String(authority)
        route = .curl
        guard let (host, port) = HTTPTarget.hostAndPort(authority) else { return nil }
        if scheme == "http", let address = HTTPTarget.address(host) { route = .address(address, port: port ?? 80) }
    }

    private static func hostAndPort(_ authority: Substring) -> (host: String, port: Int?)? {
        var host = authority
        var portText: Substring?
        if let inside = authority.rest(after: "[") {
            guard let halves = inside.cut(at: "]") else { return nil }
            host = halves.before
            portText = halves.after.rest(after: ":")
            guard portText != nil || halves.after.isEmpty else { return nil }
        } else if let halves = authority.cut(at: ":") {
            host = halves.before
            portText = halves.after
        }
        guard !host.isEmpty else { return nil }
        guard let portText, !portText.isEmpty else { return (String(host), nil) }
        guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(portText),
            (1...65_535).contains(port)
        else { return nil }
        return (String(host), port)
    }

    /// The address that a host names without a lookup: a static executable has no resolver (no NSS).
    private static func address(_ host: String) -> String? {
        if host.lowercased() == "localhost" { return "127.0.0.1" }
        var address = [UInt8](repeating: 0, count: 16)
        let isAddress = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
        return isAddress ? host : nil
    }
}
