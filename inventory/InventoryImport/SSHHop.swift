import Inventory
import SafeText

/// A jump host as another inventory names it.
package struct SSHHop: Hashable, Sendable {
    package var host: String
    package var user: String?
    package var port: Int?
    package var identityFile: String?

    /// - Parameter text: `[user@]host[:port]` or `ssh://[user@]host[:port]`.
    init(_ text: String) {
        let place = SSHPlace(text)
        (host, user, port) = (place.host, place.user, place.port)
    }

    /// The hops of a value of ProxyJump; none for `none`.
    static func way(_ text: String) -> [SSHHop] {
        text == "none" ? [] : text.fields(separatedBy: ", ").map { SSHHop(String($0)) }
    }
}
