import Foundation
import Subprocess
import Testing

@testable import LabFleet

/// The shop of `inventory/examples/real-stack` at 1.4.0: PostgreSQL, redis, two Python apps and nginx, each on a host of
/// its own. On app-2 the new release lacks one of its dependencies.
struct RealStack: Sendable {
    static let example = "\(FleetFixture.repository)/inventory/examples/real-stack"
    private static let built = "\(FleetFixture.repository)/.build"
    private static let layers = [
        ("db-1", "data"), ("cache-1", "cache"), ("app-1", "app"), ("app-2", "app"), ("proxy-1", "proxy"),
    ]
    /// Where the numbers of the hosts' users begin: above those that machines give out.
    private static let firstUserID = 40_000

    let fleet: FleetFixture
    let hosts: [StackHost]
    /// The operator's home, with the example's files.
    var folder: String { "\(fleet.folder)/operator" }

    static let isAvailable: Bool = {
        let programs = ["/usr/bin/redis-server", "/usr/sbin/nginx", "/usr/bin/psql", "/usr/bin/pkill"]
        let brought = ["\(built)/wheels/complete", "\(built)/ansible/complete"]
        let servers = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        return StackHost.isPossible && (programs + brought).allSatisfy(LabFile.exists)
            && servers.contains { LabFile.exists("/usr/lib/postgresql/\($0)/bin/initdb") }
    }()
    static let needs: Comment = """
        needs root, Debian's postgresql, redis-server, nginx and procps, and what scripts/wheels.sh and \
        scripts/ansible.sh install
        """

    /// Takes a place, builds and starts the stack there, runs the body, and always cleans up.
    static func with(_ body: (RealStack) async throws -> Void) async throws {
        let layout = LabLayout(layers: [], members: [])
        let asked = ContinuousClock.now
        let place = await LabPlaces.shared.take(layout, alone: false)
        let admitted = ContinuousClock.now
        let folder = "\(FileManager.default.temporaryDirectory.path)/lockflight-e2e-\(UUID().uuidString.prefix(8))"
        let stack = RealStack(
            fleet: FleetFixture(folder: folder, lab: Lab(folder: folder, layout: layout, hosts: [])),
            hosts: hosts(in: place.network, below: folder))
        let outcome: Result<Void, any Error>
        do {
            try await stack.start()
            try await body(stack)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        var leftRunning: (any Error)?
        for host in stack.hosts {
            do { try await host.end() } catch { leftRunning = leftRunning ?? error }
        }
        try? FileManager.default.removeItem(atPath: folder)
        await LabPlaces.shared.giveBack(place)
        // Read by scripts/test.py.
        let (held, waited) = (admitted.duration(to: .now) / .seconds(1), asked.duration(to: admitted) / .seconds(1))
        print(String(format: "lab: %.1f s held, %.1f s waited, new: ", held, waited) + (Test.current?.name ?? ""))
        try outcome.get()
        if let leftRunning { throw leftRunning }
    }

    private static func hosts(in network: String, below folder: String) -> [StackHost] {
        let octets = network.split(separator: ".").compactMap { Int($0) }
        let first = firstUserID + (octets[1] * 256 + octets[2]) % 4_096 * layers.count
        return layers.enumerated().map { index, host in
            StackHost(
                name: host.0, layer: host.1, address: "\(network).\(11 + index)", userID: first + index,
                root: "\(folder)/hosts/\(host.0)")
        }
    }

    // MARK: The operator

    var environment: Environment {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let programs = URL(fileURLWithPath: FleetFixture.executable).deletingLastPathComponent().path
        return fleet.environment.updating([
            "HOME": folder, "LOCKFLIGHT_LEDGER": "\(folder)/ledger.sqlite", "ANSIBLE_PIPELINING": "1",
            "PATH": "\(folder)/bin:\(programs):\(RealStack.built)/ansible/bin:\(path)",
        ])
    }

    /// What a command prints on a host, where it runs in the checkout.
    @discardableResult
    func on(_ host: String, _ command: String) async throws -> String {
        try await LabCommand.require("\(folder)/bin/ssh", [host, "cd /srv/stack && \(command)"])
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The release that each host's service says it runs; empty where none answers.
    func versions() async throws -> [String: String] {
        var versions: [String: String] = [:]
        for host in hosts {
            versions[host.name] = try await on(host.name, "./scripts/running-version.sh 2>/dev/null || true")
        }
        return versions
    }

    /// The ssh_config, key and known_hosts of somebody who works with these hosts, and the example's files.
    private func makeOperator() async throws {
        for folder in [".ssh", "bin"] { try LabFile.makeFolder("\(self.folder)/\(folder)") }
        try await LabCommand.require(
            "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", "\(folder)/.ssh/id_ed25519"])
        let hosts = hosts.map { "Host \($0.name)\n  HostName \($0.address)\n" }.joined()
        let config = """
            \(hosts)Host *
              Port \(StackHost.sshPort)
              User \(StackHost.user)
              IdentityFile \(folder)/.ssh/id_ed25519

            """
        try LabFile.write(config, to: "\(folder)/.ssh/config")
        // OpenSSH takes the home from the accounts, not from HOME.
        let ssh = """
            #!/bin/sh
            case " $* " in
            *" -G "*) exec /usr/bin/ssh -F \(folder)/.ssh/config "$@" ;;
            *) exec /usr/bin/ssh -F \(folder)/.ssh/config -o UserKnownHostsFile=\(folder)/.ssh/known_hosts "$@" ;;
            esac

            """
        try LabFile.write(ssh, to: "\(folder)/bin/ssh", mode: 0o755)
        for file in ["hosts.ini", "fleet.yaml", "upgrade.yaml", "upgrade-ansible.yaml"] { try take(file) }
    }

    /// Puts a file of the example into the operator's folder; only the soak is shortened.
    func take(_ file: String) throws {
        let text = try LabFile.read("\(RealStack.example)/\(file)")
        try LabFile.write(text.replacing("soakSeconds: 60", with: "soakSeconds: 1"), to: "\(folder)/\(file)")
    }

    // MARK: The hosts

    private func start() async throws {
        try await makeOperator()
        let key = try LabFile.read("\(folder)/.ssh/id_ed25519.pub")
        let names = hosts.map { "\($0.address) \($0.name)\n" }.joined() + "127.0.0.1 localhost\n"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for host in hosts {
                group.addTask {
                    try await host.install(authorizedKey: key, hostNames: names)
                    try fill(host)
                    try await host.start()
                }
            }
            try await group.waitForAll()
        }
        try LabFile.write(
            hosts.map { try $0.knownHostsLine() + "\n" }.joined(), to: "\(folder)/.ssh/known_hosts")
        // At the same time, because an app waits until database and cache answer.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for host in hosts { group.addTask { try await on(host.name, RealStack.firstDeployment(of: host)) } }
            try await group.waitForAll()
        }
    }

    /// The checkout of a host, and what it has for the app.
    private func fill(_ host: StackHost) throws {
        let files = FileManager.default
        try files.copyItem(atPath: "\(RealStack.example)/stack", toPath: host.checkout)
        try LabFile.makeFolder("\(host.checkout)/run")
        let settings = """
            LAYER=\(host.layer)
            ADDRESS=\(host.address)
            DATABASE=db-1
            CACHE=cache-1
            APPS="app-1 app-2"

            """
        try LabFile.write(settings, to: "\(host.checkout)/stack.env")
        guard host.layer == "app" else { return }
        try files.copyItem(atPath: "\(RealStack.built)/wheels/venv", toPath: "\(host.checkout)/venv")
        try LabFile.makeFolder("\(host.root)/srv/wheels")
        for file in try files.contentsOfDirectory(atPath: "\(RealStack.built)/wheels") where file.hasSuffix(".whl") {
            try files.copyItem(atPath: "\(RealStack.built)/wheels/\(file)", toPath: "\(host.root)/srv/wheels/\(file)")
        }
        // The company's own mirror, as it were.
        try LabFile.write(
            "[global]\nno-index = true\nfind-links = /srv/wheels\n", to: "\(host.checkout)/venv/pip.conf")
    }

    private static func firstDeployment(of host: StackHost) -> String {
        switch host.name {
        case "db-1": ". ./stack.env && . scripts/data.sh && create && ./scripts/migrate.sh 1.4.0"
        case "app-1": "venv/bin/python -m pip install --quiet redis && ./scripts/redeploy.sh 1.4.0"
        default: "./scripts/redeploy.sh 1.4.0"
        }
    }
}
