import Foundation
import Glibc

/// A separate network behind a pair of virtual interfaces (ip-netns(8), veth(4)): its link can be taken down, which
/// is impossible on loopback. Needs root and iproute2.
final class NetworkNamespace: Sendable {
    let name: String
    /// The address inside.
    let address: String

    static var isAvailable: Bool {
        guard getuid() == 0, FileManager.default.isExecutableFile(atPath: "/usr/sbin/ip") else { return false }
        // A container may prevent even root from creating one.
        let probe = "lf-probe-\(getpid())"
        guard ip("netns", "add", probe) else { return false }
        return ip("netns", "delete", probe)
    }

    init() throws {
        let number = Int(getpid()) % 250
        name = "lf-\(getpid())"
        address = "10.213.\(number).2"
        let (here, there) = ("lfh\(getpid())", "lft\(getpid())")
        let steps: [[String]] = [
            ["netns", "add", name], ["link", "add", here, "type", "veth", "peer", "name", there, "netns", name],
            ["address", "add", "10.213.\(number).1/30", "dev", here], ["link", "set", here, "up"],
            ["-n", name, "address", "add", "\(address)/30", "dev", there], ["-n", name, "link", "set", there, "up"],
            ["-n", name, "link", "set", "lo", "up"],
        ]
        for step in steps {
            guard NetworkNamespace.ip(step) else {
                remove()
                throw CocoaError(.featureUnsupported)
            }
        }
    }

    /// The command prefix that runs a program inside.
    var prefix: [String] { ["/usr/sbin/ip", "netns", "exec", name] }

    /// Drops all traffic from now on, without notice to either side.
    func takeLinkDown() -> Bool { NetworkNamespace.ip("-n", name, "link", "set", "lft\(getpid())", "down") }

    /// Ends the processes that still run inside, which would keep the network alive, and removes both interfaces.
    func remove() {
        if let ending = try? spawn([
            "/bin/sh", "-c", "/usr/sbin/ip netns pids '\(name)' | xargs --no-run-if-empty kill -9",
        ]) {
            _ = exitStatus(of: ending)
        }
        _ = NetworkNamespace.ip("link", "delete", "lfh\(getpid())")
        _ = NetworkNamespace.ip("netns", "delete", name)
    }

    private static func ip(_ arguments: String...) -> Bool { ip(arguments) }

    private static func ip(_ arguments: [String]) -> Bool {
        guard let process = try? spawn(["/usr/sbin/ip"] + arguments) else { return false }
        return exitStatus(of: process) == 0
    }
}
