import ArgumentParser
import LabFleet
import OperatorCommands
import SafeText
import UpgradeDomain

struct LabUp: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Build and start a lab at version 1.4.0.",
        discussion: """
            With --signed it has people as well: keys in people/, and policy.yaml, a draft that says whose signatures count.
            It counts once its signers have signed it and it is stored: the next commands do that.
            Example: lockflight lab up --hosts 8
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions
    @Option(name: .long, help: "How many hosts, distributed over the layers data, core and edge.") var hosts = 8
    @Option(name: .long, help: "The first three octets of the hosts' addresses, in 127.0.0.0/8.") var network =
        "127.77.0"
    @Option(name: .long, help: "The port of every sshd.") var port = 2_222

    @Flag(name: .long, help: "Make people with keys, and the draft of a policy for them.") var signed = false

    func validate() throws {
        guard (1...200).contains(hosts) else { throw ValidationError("--hosts takes a number from 1 to 200") }
        guard network.begins(with: "127."), network.fields(separatedBy: ".").count == 3 else {
            throw ValidationError("--network takes three octets such as 127.77.0")
        }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let made = try await Lab.up(
            at: lab.folder, layout: .standard(hosts: hosts), network: network, sshPort: port,
            isSigned: signed)
        return CommandResult(
            lines: made.hosts.map {
                "\($0.name)  \($0.address):\($0.sshPort)  \($0.layers.map(\.rawValue).joined(separator: ", "))"
            },
            document: made.hosts,
            remarks: signed ? ["\(made.policyPath) is a draft: unsigned, and not in the ledger"] : [],
            next: [.importInventory(file: made.inventoryPath), .trustKnownHosts(file: made.knownHostsPath)]
                + (signed ? policyCommands(of: made) : []))
    }

    private func policyCommands(of lab: Lab) -> [OperatorCommand] {
        lab.policySigners.map { .signPolicy(file: lab.policyPath, key: "\(lab.peopleFolder)/\($0)") }
            + [.addPolicy(file: "\(lab.folder)/policy-v1.json")]
    }
}
