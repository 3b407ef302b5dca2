import CoordinatorRuntime
import Foundation
package import Logging
import SSHTransport
package import UpgradeDomain

/// The SSH client of this process, the keys that it logs in with, and the connector that uses both.
package struct FleetConnection {
    package let connector: SSHConnector
    private let client: SSHClient
    private let keys: KeyRing

    /// Prepares connections to hosts without opening them; asks for the passphrases of their keys on the terminal.
    ///
    /// - Parameter inventory: contains their jump hosts.
    /// - Throws: if this process may not have that many connections.
    package static func open(
        to hosts: [UpgradeDomain.Host], among inventory: FleetInventory?, environment: [String: String],
        logger: Logger
    ) async throws -> FleetConnection {
        let ways = JumpWays(among: inventory?.hosts ?? [])
        let before = Set(hosts.flatMap { (try? ways.way(to: $0)) ?? [] })
        try DescriptorLimit.provide(for: hosts + before)
        let connection = FleetConnection(ways, environment, logger)
        await connection.keys.unlock(for: hosts + before)
        return connection
    }

    private init(_ ways: JumpWays, _ environment: [String: String], _ logger: Logger) {
        let executable =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        client = SSHClient()
        keys = KeyRing(client: client, environment: environment)
        connector = SSHConnector(
            client: client, keys: keys, ways: ways,
            binaries: .standard(environment: environment, executable: executable), logger: logger)
    }

    /// Closes the connections and stops the helper processes.
    package func close() async {
        await connector.close()
        await client.shutdown()
        await keys.close()
    }
}
