import Glibc
import UpgradeDomain

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

    /// Reads an absolute `http` or `https` URL.
    init(url: String) throws(ServiceURL.Fault) {
        let url = try ServiceURL(url)
        (authority, path) = (url.authority, url.path)
        route = .curl
        if url.scheme == "http", let address = HTTPTarget.address(url.host) {
            route = .address(address, port: url.port ?? 80)
        }
    }

    /// The address that a host names without a lookup: a static executable has no resolver (no NSS).
    private static func address(_ host: String) -> String? {
        if host.lowercased() == "localhost" { return "127.0.0.1" }
        var address = [UInt8](repeating: 0, count: 16)
        let isAddress = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
        return isAddress ? host : nil
    }
}
