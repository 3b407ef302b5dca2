import SafeText

/// An absolute URL of an HTTP service: scheme, host, port, path and query (RFC 3986).
///
/// The agent reads what stored plans hold, with ``init(_:)``. Files that people write obey ``fault(in:)`` and
/// ``baseFault(in:)``, which refuse more.
package struct ServiceURL: Hashable, Sendable {
    /// In lower case.
    package var scheme: String
    /// Without the brackets of an IPv6 address.
    package var host: String
    /// nil if none is written.
    package var port: Int?
    /// Host and port as written.
    package var authority: String
    /// Path and query; always with a leading slash.
    package var path: String

    private var isBracketed = false
    private var hasEmptyPort = false
    private var hasFragment = false

    /// What is wrong with a URL, and what to write instead.
    package struct Fault: Error, Hashable, Sendable {
        /// Continues a sentence that names the URL, such as "has no host".
        package var words: String
        package var remedy: String
    }

    package static let example = "http://127.0.0.1:8080"

    /// A fragment is left out, and a port without digits is none.
    package init(_ text: String) throws(Fault) {
        guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Fault(words: "has a space, or a character that is not ASCII", remedy: "write it percent-encoded")
        }
        guard let halves = text.cut(at: ":"), let rest = halves.after.rest(after: "//"),
            ["http", "https"].contains(halves.before.lowercased())
        else { throw Fault(words: "does not begin with http:// or https://", remedy: ServiceURL.asExample) }
        scheme = halves.before.lowercased()
        let afterSlashes = rest.prefix(upToAnyOf: "#")
        hasFragment = afterSlashes.utf8.count < rest.utf8.count
        let authority = afterSlashes.prefix(upToAnyOf: "/?")
        guard !authority.holds(anyOf: "@") else {
            throw Fault(
                words: "has a user name", remedy: "remove it: no password belongs in a URL")
        }
        let path = Substring(afterSlashes.utf8.dropFirst(authority.utf8.count))
        self.path = path.begins(with: "/") ? String(path) : "/" + path
        self.authority = String(authority)
        var portText: Substring?
        if let inside = authority.rest(after: "[") {
            guard let address = inside.cut(at: "]"), address.after.isEmpty || address.after.begins(with: ":") else {
                throw Fault(
                    words: "has a bracket that is not closed", remedy: "write brackets around it: http://[fd00::1]:8080"
                )
            }
            (host, isBracketed) = (String(address.before), true)
            portText = address.after.rest(after: ":")
        } else if let named = authority.cut(at: ":") {
            guard !named.after.holds(anyOf: ":") else {
                throw Fault(
                    words: "has an IPv6 address without brackets",
                    remedy: "write brackets around it: http://[fd00::1]:8080")
            }
            (host, portText) = (String(named.before), named.after)
        } else {
            host = String(authority)
        }
        guard !host.isEmpty else { throw Fault(words: "has no host", remedy: ServiceURL.asExample) }
        guard let portText else { return }
        hasEmptyPort = portText.isEmpty
        guard !hasEmptyPort else { return }
        port = portText.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(portText) : nil
        guard let port, (1...65_535).contains(port) else {
            throw Fault(words: "has the port '\(portText)'", remedy: "write a port from 1 to 65535")
        }
    }

    private static let asExample = "write it like \(example)"

    /// What a file may not have as the URL of a request; nil if it is one.
    package static func fault(in text: String) -> Fault? {
        do {
            let url = try ServiceURL(text)
            if url.hasEmptyPort { return Fault(words: "has no port after ':'", remedy: "write the port, or no ':'") }
            if url.hasFragment {
                return Fault(words: "has a part after '#'", remedy: "remove it: no server is asked for it")
            }
            let isAddress = url.isBracketed == url.host.holds(anyOf: ":") && HostAddress(url.host) != nil
            if !isAddress {
                return Fault(
                    words: "has the host '\(url.host)', which is not valid",
                    remedy: "write a name, an IPv4 address, or an IPv6 address in brackets")
            }
            return nil
        } catch {
            return error
        }
    }

    /// What a file may not have as the URL to which a plan's paths are appended; nil if it is one.
    package static func baseFault(in text: String) -> Fault? {
        if let fault = fault(in: text) { return fault }
        if text.holds(anyOf: "?") {
            return Fault(words: "has a query", remedy: "write the query in the plan's URL, after the path")
        }
        return text.utf8.last == 0x2f ? Fault(words: "has a final slash", remedy: "remove it") : nil
    }

    /// The address as it stands in this text of a URL: an IPv6 address is in brackets (RFC 3986, 3.2.2; RFC 6874), unless
    /// the text has them around the placeholder itself.
    package static func address(_ address: String, in text: String) -> String {
        guard address.utf8.contains(0x3a), HostAddress(address) != nil else { return address }
        let zoned = address.pieces(separatedBy: "%").joined(separator: "%25")
        return text.holds("[${address}]") ? zoned : "[\(zoned)]"
    }
}
