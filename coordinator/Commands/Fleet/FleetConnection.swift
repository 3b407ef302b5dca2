import CoordinatorRuntime
import Foundation
import SSHTransport

/// The SSH client of this process and the connector over it.
struct FleetConnection {
    private let client = SSHClient()
    let connector: SSHConnector

    init(_ context: Context) {
        let executable =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        connector = SSHConnector(
            client: client, keys: KeyRing(client: client, environment: context.environment),
            binaries: .standard(environment: context.environment, executable: executable))
    }

    func close() async { await client.shutdown() }
}
