import ArgumentParser
import LabFleet
import OperatorCommands
import SafeText
import UpgradeDomain

struct LabCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab", abstract: "A fleet on this machine to try things on: real sshd hosts with stacks.",
        discussion: "Example: lockflight lab up --hosts 8",
        subcommands: [LabUp.self, LabStatusCommand.self, LabBreak.self, LabMend.self, LabDown.self])
}

struct LabOptions: ParsableArguments {
    @Option(name: .long, help: "The lab's folder.", completion: .directory) var folder = ".lockflight/lab"
}

struct LabUp: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Build and start a lab at version 1.4.0.",
        discussion: "Example: lockflight lab up --hosts 8")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions
    @Option(name: .long, help: "How many hosts, spread over the layers data, core and edge.") var hosts = 8
    @Option(name: .long, help: "The first three octets of the hosts' addresses, below 127.") var network = "127.77.0"
    @Option(name: .long, help: "The port of every sshd.") var port = 2_222

    func validate() throws {
        guard (1...200).contains(hosts) else { throw ValidationError("--hosts takes a number from 1 to 200") }
        guard network.begins(with: "127."), network.fields(separatedBy: ".").count == 3 else {
            throw ValidationError("--network takes three octets such as 127.77.0")
        }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let made = try await Lab.up(at: lab.folder, layout: .standard(hosts: hosts), network: network, sshPort: port)
        return CommandResult(
            lines: made.hosts.map {
                "\($0.name)  \($0.address):\($0.sshPort)  \($0.layers.map(\.rawValue).joined(separator: ", "))"
            },
            document: made.hosts,
            next: [.importInventory(file: made.inventoryPath), .trustKnownHosts(file: made.knownHostsPath)])
    }
}

struct LabStatusCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "What runs on each lab host now.", discussion: "Example: lockflight lab status"
    )

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let statuses = try await Lab.open(at: lab.folder).status()
        let rows = statuses.map { status -> [TerminalText] in
            [
                "\(status.host.name)", "\(status.host.address):\(status.host.sshPort)",
                status.isReachable ? "up" : context.style.red("down"),
                status.host.layers.map { "\($0) \(status.versions[$0] ?? "-")" }.joined(separator: ", "),
                "\(status.faults.map(\.rawValue).joined(separator: ", "))",
            ]
        }
        let table = TextTable(headers: ["HOST", "ADDRESS", "SSHD", "RUNNING", "FAULTS"], rows: rows)
        return CommandResult(
            lines: table.lines(width: context.width, style: context.style), document: statuses.map(Document.init))
    }

    private struct Document: Encodable {
        var host: HostName
        var address: String
        var isReachable: Bool
        var versions: [LayerName: String]
        var faults: [LabFault]

        init(_ status: LabHostStatus) {
            host = status.host.name
            address = status.host.address
            isReachable = status.isReachable
            versions = status.versions
            faults = status.faults
        }
    }
}

struct LabBreak: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "break", abstract: "Break a lab host.",
        discussion: """
            Faults: \(LabFault.allCases.map(\.rawValue).joined(separator: ", "))
            Example: lockflight lab break core-2 service-unhealthy --to 1.6.0
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions
    @Argument(help: "The host.") var host: String
    @Argument(help: "The fault.") var fault: String
    @Option(name: .customLong("to"), help: "The version whose upgrade is to meet the fault.") var target = "1.5.0"
    @Option(name: .long, help: "The layer; default: the host's first.") var layer: String?

    func validate() throws {
        guard LabFault(rawValue: fault) != nil else {
            throw ValidationError(
                "'\(fault)' is no fault; use one of: \(LabFault.allCases.map(\.rawValue).joined(separator: ", "))")
        }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let chosen = LabFault(rawValue: fault) ?? .redeployFails
        try await Lab.open(at: lab.folder).inject(
            chosen, on: HostName(host), layer: layer.map { LayerName($0) }, target: Version(target))
        return CommandResult(
            lines: [
                "\(host) now has the fault \(fault); a rollout to \(target) will be held with \(chosen.expectedHoldCode)"
            ],
            document: ["host": host, "fault": fault, "expectedHoldCode": chosen.expectedHoldCode])
    }
}

struct LabMend: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "mend", abstract: "Undo every fault of a lab host.",
        discussion: "Example: lockflight lab mend core-2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions
    @Argument(help: "The host.") var host: String

    func perform(_ context: Context) async throws -> CommandResult {
        try await Lab.open(at: lab.folder).mend(HostName(host))
        return CommandResult(lines: ["\(host) is mended"], document: ["host": host])
    }
}

struct LabDown: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "End the lab and remove its folder.", discussion: "Example: lockflight lab down")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var lab: LabOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let open = try Lab.open(at: lab.folder)
        try await open.down(removing: true)
        return CommandResult(lines: ["the lab in \(lab.folder) is gone"], document: ["folder": lab.folder])
    }
}
