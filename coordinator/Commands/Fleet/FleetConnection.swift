import CoordinatorRuntime
import Foundation
import Ledger
import SSHTransport
import UpgradeDomain

/// The SSH client of this process, the keys that it logs in with, and the connector over both.
struct FleetConnection {
    let connector: SSHConnector
    private let client: SSHClient
    private let keys: KeyRing

    /// Makes the way to hosts ready, without touching them; asks for the passphrases of their keys on the terminal.
    ///
    /// - Parameter ledger: its inventory has the hosts that they are behind.
    /// - Throws: when this process may not hold so many connections.
    static func open(
        _ context: Context, to hosts: [UpgradeDomain.Host], of ledger: Ledger
    ) async throws -> FleetConnection {
        let ways = JumpWays(among: try ledger.currentInventory()?.hosts ?? [])
        let before = Set(hosts.flatMap { (try? ways.way(to: $0)) ?? [] })
        try DescriptorLimit.provide(for: hosts + before)
        let connection = FleetConnection(context, ways)
        await connection.keys.unlock(for: hosts + before)
        return connection
    }

    private init(_ context: Context, _ ways: JumpWays) {
        let executable =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        client = SSHClient()
        keys = KeyRing(client: client, environment: context.environment)
        connector = SSHConnector(
            client: client, keys: keys, ways: ways,
            binaries: .standard(environment: context.environment, executable: executable))
    }

    func close() async {
        await connector.close()
        await client.shutdown()
        await keys.close()
    }
}
