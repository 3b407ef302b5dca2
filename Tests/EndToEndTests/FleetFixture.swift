import ContentDigest
import Foundation
import LabFleet
import Subprocess
import TestSupport
import Testing
import UpgradeDomain

/// A lab, a ledger and the real `lockflight` executable. Each fixture has its own addresses and folders.
struct FleetFixture: Sendable {
    let folder: String
    let lab: Lab

    /// Takes a place with a lab, imports and trusts it, runs the body, and always cleans up.
    ///
    /// - Parameter agentsAreThere: whether the hosts already have agents; false if the body tests their installation.
    static func with(
        _ layout: LabLayout = .standard(hosts: 3), agentsAreThere: Bool = true,
        _ body: (FleetFixture) async throws -> Void
    ) async throws {
        let asked = ContinuousClock.now
        let place = await LabPlaces.shared.take(layout, alone: Test.current?.isAlone ?? false)
        let admitted = ContinuousClock.now
        let isPassedOn: Bool
        do {
            isPassedOn = try await use(place, layout, agentsAreThere: agentsAreThere, body)
        } catch {
            await LabPlaces.shared.giveBack(place)
            throw error
        }
        if !isPassedOn { await LabPlaces.shared.giveBack(place) }
        // Read by scripts/test.py.
        let (held, waited) = (seconds(admitted.duration(to: .now)), seconds(asked.duration(to: admitted)))
        let (state, test) = (place.lab == nil ? "new" : "as found", Test.current?.name ?? "")
        print("lab: \(held) s held, \(waited) s waited, \(state): \(test)")
    }

    private static func seconds(_ duration: Duration) -> String { String(format: "%.1f", duration / .seconds(1)) }

    /// - Returns: whether the place was passed on to another test with its lab.
    private static func use(
        _ place: LabPlaces.Place, _ layout: LabLayout, agentsAreThere: Bool,
        _ body: (FleetFixture) async throws -> Void
    ) async throws -> Bool {
        let temporary = FileManager.default.temporaryDirectory.path
        let id = UUID().uuidString.prefix(8)
        // If it cannot be taken, no other test gets this lab.
        let (lab, fingerprint): (Lab, LabFingerprint?)
        if let found = place.lab {
            (lab, fingerprint) = found
        } else {
            lab = try await Lab.up(at: "\(temporary)/lockflight-lab-\(id)", layout: layout, network: place.network)
            fingerprint = try? await LabFingerprint(of: lab)
        }
        let fixture = FleetFixture(folder: "\(temporary)/lockflight-e2e-\(id)", lab: lab)
        defer { try? FileManager.default.removeItem(atPath: fixture.folder) }
        do {
            try FileManager.default.createDirectory(atPath: fixture.folder, withIntermediateDirectories: false)
            if agentsAreThere { try await fixture.placeAgents() }
            try await fixture.expect(.verified, "inventory", "import", lab.inventoryPath)
            try await fixture.expect(.verified, "inventory", "trust", "--known-hosts", lab.knownHostsPath)
            try await body(fixture)
        } catch {
            try await lab.down(removing: true)
            throw error
        }
        if let fingerprint, await LabPlaces.shared.isWanted(layout), await isAsItWasFound(lab, fingerprint) {
            let next = LabPlaces.Place(network: place.network, lab: (lab, fingerprint))
            if await LabPlaces.shared.pass(on: next, layout) { return true }
        }
        try await lab.down(removing: true)
        return false
    }

    /// A lab that cannot be inspected does not count as left as found.
    private static func isAsItWasFound(_ lab: Lab, _ fingerprint: LabFingerprint) async -> Bool {
        do {
            guard try lab.hosts.allSatisfy({ try lab.faults(of: $0).isEmpty }) else { return false }
            try LabFingerprint.forget(lab)
            return try await LabFingerprint(of: lab) == fingerprint
        } catch {
            return false
        }
    }

    /// The exit codes of the command line, as its help lists them.
    enum Exit: Int32 {
        case verified = 0
        case held = 10
        case rolledBackVerified = 11
        case rolledBackNotVerified = 12
        case refused = 13
        case unreachable = 14
        case notRecovered = 15
        case detached = 20
        case failure = 70
        case usage = 64
    }

    struct Outcome: Sendable {
        var code: Int32
        var output: String
        var errors: String

        /// The result of a command that ran with `--json`.
        func document() throws -> JSONValue { try JSONDecoder().decode(JSONValue.self, from: Data(output.utf8)) }
    }

    // MARK: The executable

    static let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    static var executable: String {
        let beside = "/proc/self/exe"
        let resolved = (try? FileManager.default.destinationOfSymbolicLink(atPath: beside)) ?? products
        let candidates = [
            products, URL(fileURLWithPath: resolved).deletingLastPathComponent().path, repository + "/.build/debug",
        ]
        return candidates.map { $0 + "/lockflight" }.first { FileManager.default.isExecutableFile(atPath: $0) }
            ?? "lockflight"
    }

    /// The folder with the agent's builds.
    static let agents =
        ProcessInfo.processInfo.environment["LOCKFLIGHT_AGENT_DIRECTORY"] ?? repository + "/.build-agent/out"
    var agents: String { FleetFixture.agents }

    /// A build of the agent as hosts know it.
    private struct AgentBuild: Sendable {
        var path: String
        /// Its name on a host.
        var name: String
        /// What a host notes beside it after it computed the digest, in the words of `AgentScript.startOrLook`.
        var proof: String
    }

    /// Read once: every host gets the same.
    private static let agentBuilds = Task {
        var builds: [AgentBuild] = []
        for file in try FileManager.default.contentsOfDirectory(atPath: agents) where !file.hasSuffix(".gz") {
            let path = "\(agents)/\(file)"
            let digest = try #require(Digest.ofFile(path)).rawValue.trimmingPrefix("sha256:")
            let proof = try await Subprocess.run(
                .name("stat"), arguments: ["-L", "-c", "%i %s %z", path], output: .string(limit: 1_000),
                error: .discarded)
            try #require(proof.terminationStatus.isSuccess)
            builds.append(AgentBuild(path: path, name: "agent-\(digest)", proof: proof.standardOutput))
        }
        return builds
    }

    /// Installs the agent on every host as a link, because an upload takes as long as much of a test. The link is
    /// symbolic: a new hard link would touch the file. The hosts have computed its digest, so none does so again; what
    /// a host does without a proof is up to the tests of the script and of the delivery.
    private func placeAgents() async throws {
        for build in try await FleetFixture.agentBuilds.value {
            for host in lab.hosts {
                let folder = "\(host.root)/home/.local/lib/lockflight"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try FileManager.default.createSymbolicLink(
                    atPath: "\(folder)/\(build.name)", withDestinationPath: build.path)
                try build.proof.write(toFile: "\(folder)/.\(build.name).proved", atomically: false, encoding: .utf8)
            }
        }
    }

    var environment: Environment {
        return .inherit.updating([
            "LOCKFLIGHT_LEDGER": "\(folder)/ledger.sqlite", "LOCKFLIGHT_AGENT_DIRECTORY": agents,
            "PATH": URL(fileURLWithPath: FleetFixture.executable).deletingLastPathComponent().path + ":"
                + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"),
        ])
    }

    // MARK: Plans

    /// Stores the lab's plan for a version (optionally changed) and approves it for every layer. Services get more time
    /// than in the lab's own plan, because other tests use the processors too.
    func approvePlan(
        to version: Version, runs: Int = 1, change: (String) -> String = { $0 },
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let text = try String(contentsOfFile: lab.planPath(to: version), encoding: .utf8)
        let path = "\(folder)/plan.yaml"
        try change(text).replacing("healthyWithinSeconds: 8", with: "healthyWithinSeconds: 30")
            .replacing("maxAgeSeconds: 3}", with: "maxAgeSeconds: 15}")
            .write(toFile: path, atomically: true, encoding: .utf8)
        let added = try await expect(.verified, "plan", "add", path, "--json", sourceLocation: sourceLocation)
        let digest = try #require(try added.document().value(at: "/digest")?.scalarText)
        let owners = lab.layout.layers.flatMap { ["--as", "\($0)-owner"] }
        let approved = try await run(["plan", "approve", digest, "--runs", "\(runs)"] + owners)
        try #require(approved.code == Exit.verified.rawValue, "\(approved)", sourceLocation: sourceLocation)
    }

    // MARK: The truth according to the hosts, not our records

    func version(_ host: HostName, _ layer: LayerName) async throws -> String? {
        try await lab.runningVersion(of: try lab.host(host), layer: layer)
    }

    /// The operation ids in the agent's journal on a host.
    func journal(of host: HostName) throws -> [String] {
        let folder = try lab.host(host).stateDirectory + "/operations"
        return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    /// The run as `status --json` shows it.
    func status() async throws -> JSONValue {
        let outcome = try await run(["status", "--json"])
        return try outcome.document()
    }

    /// The number of the run's last event.
    func sequence() async throws -> Int64 {
        guard case .integer(let number)? = try await status().value(at: "/sequence") else { return 0 }
        return number
    }

    func holdCode() async throws -> String? { try await status().value(at: "/hold/code")?.scalarText }

    /// Polls until a condition on the outside world holds.
    func wait(
        for what: String, within limit: Duration = .seconds(180), _ condition: () async throws -> Bool
    ) async throws {
        try await eventually(what, within: limit, every: .milliseconds(50), condition)
    }
}
