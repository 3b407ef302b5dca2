import SafeText
import UpgradeDomain

/// Values of ProxyJump, and which hosts of the inventory they mean.
final class SSHJumpWays {
    /// A host to go through.
    struct Hop {
        /// As written.
        var text: String
        /// The hosts that it may refer to: by name, else by address.
        var matches: [HostName]
    }

    private let hosts: [Host]
    /// Most hosts of a fleet share their path.
    private var known: [String: [Hop]] = [:]

    init(among hosts: [Host]) { self.hosts = hosts }

    /// The jump hosts in the order in which they are passed.
    /// - Parameter text: `[user@]host[:port]` or `ssh://[user@]host[:port]`, several with commas between.
    func way(_ text: String) -> [Hop] {
        if let way = known[text] { return way }
        let way = text.fields(separatedBy: ",").map { word in
            Hop(text: String(word), matches: SSHPlace(String(word)).matches(among: hosts))
        }
        known[text] = way
        return way
    }
}

/// A host as OpenSSH's options name it.
package struct SSHPlace: Hashable {
    package var user: String?
    package var host: String
    package var port: Int?

    package init(_ text: String) {
        var place = text.rest(after: "ssh://") ?? text[...]
        place = place.rest(before: "/") ?? place
        if let halves = place.cut(atLast: "@") {
            user = String(halves.before)
            place = halves.after
        }
        if let halves = place.rest(after: "[")?.cut(atLast: "]") {
            port = halves.after.rest(after: ":").flatMap { Int($0) }
            host = String(halves.before)
        } else if let halves = place.cut(at: ":"), !halves.after.holds(anyOf: ":") {
            port = Int(halves.after)
            host = String(halves.before)
        } else {
            host = String(place)
        }
    }

    /// The hosts that this may refer to: by name, else by address, and with the same user and port if it has them.
    func matches(among hosts: [Host]) -> [HostName] {
        let fitting = hosts.filter { (user == nil || user == $0.user) && (port == nil || port == $0.port) }
        let named = fitting.filter { $0.name.rawValue == host }
        if !named.isEmpty { return named.map(\.name) }
        let place = HostAddress(host)
        return fitting.filter { known in
            [known.address, known.ssh?.alias].compactMap { $0 }.contains { text in
                text.isSpelled(host) || (place != nil && HostAddress(text) == place)
            }
        }.map(\.name)
    }
}
