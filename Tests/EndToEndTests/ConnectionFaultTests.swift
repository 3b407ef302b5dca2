import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// A connection fault at any byte does not change what happens on the host.
struct ConnectionFaultTests {
    static let one = LabLayout(layers: ["core"], members: [.init("core-1", layers: ["core"])])
    /// The number of parts that the bytes of an undisturbed run are divided into.
    static let steps = 8

    /// The proxy of `Proxy/proxy.py`, listening beside the host.
    private final class Proxy {
        private let process = Process()
        private let output = Pipe()

        /// - Parameter connection: the connection with the fault; 0 for all.
        init(_ fleet: FleetFixture, to host: LabHost, fault: String, connection: Int = 1, bytes: Int) throws {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments =
                [
                    "python3", FleetFixture.repository + "/Tests/EndToEndTests/Proxy/proxy.py",
                    ConnectionFaultTests.beside(host),
                    "\(host.sshPort)",
                ]
                + [host.address, "\(host.sshPort)", fault, "\(connection)", "\(bytes)"]
            process.standardOutput = output
            try process.run()
            guard try nextLine() == "ready" else { throw CancellationError() }
        }

        private func nextLine() throws -> String {
            var line: [UInt8] = []
            while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first {
                if byte == 0x0a { return String(decoding: line, as: UTF8.self) }
                line.append(byte)
            }
            return ""
        }

        /// The bytes of the first connection, once it has ended.
        func firstConnection() throws -> Int {
            Int(try nextLine().split(separator: " ").last ?? "") ?? 0
        }

        /// SIGTERM would not work: a child inherits the signals that this thread blocks.
        func end() {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    /// Runs through the proxies, counts the redeploys, and restores everything.
    private func upgrade(_ fleet: FleetFixture) async throws {
        let outcome = try await fleet.run(["rollout", "start", "lab-1.5.0"])
        #expect(outcome.code == FleetFixture.Exit.verified.rawValue, "\(outcome.output)\(outcome.errors)")
        for host in fleet.lab.hosts {
            #expect(try await fleet.version(host.name, "core") == "1.5.0")
            #expect(try CrashTests.redeploys(fleet, host.name) == 1)
        }
        try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "test")
        try await fleet.expect(.verified, "rollout", "finalize")
        for host in fleet.lab.hosts { try FileManager.default.removeItem(atPath: host.root + "/redeploys") }
    }

    /// The address where the proxy of a host listens: another one of the lab's network.
    private static func beside(_ host: LabHost) -> String {
        let octets = host.address.split(separator: ".")
        return (octets.dropLast() + ["\(100 + (Int(octets.last ?? "") ?? 0))"]).joined(separator: ".")
    }

    /// A fleet that is reached through proxies, with a plan that counts its redeploys.
    private func withProxies(
        _ layout: LabLayout, change: (String) -> String = { $0 }, _ body: (FleetFixture) async throws -> Void
    ) async throws {
        try await FleetFixture.with(layout) { fleet in
            // The agent is installed beforehand, so that only the run's own bytes are counted.
            try await fleet.expect(.verified, "inventory", "check")
            for path in [fleet.lab.inventoryPath, fleet.lab.knownHostsPath] {
                var text = try String(contentsOfFile: path, encoding: .utf8)
                for host in fleet.lab.hosts {
                    let place = path == fleet.lab.inventoryPath ? "address: \(host.address)\n" : "[\(host.address)]"
                    #expect(text.contains(place))
                    text = text.replacingOccurrences(
                        of: place,
                        with: place.replacingOccurrences(of: host.address, with: ConnectionFaultTests.beside(host)))
                }
                text = text.replacingOccurrences(of: "defaults:\n", with: "defaults:\n  silenceSeconds: 6\n")
                try text.write(toFile: path, atomically: true, encoding: .utf8)
            }
            try await fleet.expect(.verified, "inventory", "import", fleet.lab.inventoryPath)
            try await fleet.expect(.verified, "inventory", "trust", "--known-hosts", fleet.lab.knownHostsPath)
            try await fleet.approvePlan(to: "1.5.0", runs: 10) { change(CrashTests.counting($0)) }
            try await body(fleet)
        }
    }

    /// The bytes of an undisturbed run, counted once.
    private static let undisturbedBytes = Task { () async throws -> Int in
        var total = 0
        try await ConnectionFaultTests().withProxies(one) { fleet in
            let plain = try Proxy(fleet, to: try fleet.lab.host("core-1"), fault: "none", bytes: 0)
            try await ConnectionFaultTests().upgrade(fleet)
            total = try plain.firstConnection()
            plain.end()
        }
        #expect(total > 10_000, "\(total) bytes are too few for a run")
        return total
    }

    @Test(arguments: 0..<steps)
    func aFaultAtAnyByteOfAConnectionChangesNoOutcome(_ step: Int) async throws {
        let total = try await ConnectionFaultTests.undisturbedBytes.value
        try await withProxies(ConnectionFaultTests.one) { fleet in
            let proxy = try Proxy(
                fleet, to: try fleet.lab.host("core-1"), fault: ["cut", "reset", "half"][step % 3],
                bytes: 300 + step * total / ConnectionFaultTests.steps)
            defer { proxy.end() }
            try await upgrade(fleet)
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    /// A distant host and a host on a slow line: taking longer is not a failure.
    @Test(arguments: [("latency", 50), ("slow", 20_000)])
    func aConnectionThatIsOnlySlowChangesNoOutcome(_ fault: String, _ amount: Int) async throws {
        try await withProxies(ConnectionFaultTests.one) { fleet in
            let proxy = try Proxy(
                fleet, to: try fleet.lab.host("core-1"), fault: fault, connection: 0, bytes: amount)
            defer { proxy.end() }
            try await upgrade(fleet)
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    /// A stalled connection is only noticed by its silence, so all offsets are tried at once, each on its own
    /// host.
    @Test func connectionsThatStallAnywhereChangeNoOutcome() async throws {
        let layout = LabLayout(
            layers: ["core"],
            members: (1...ConnectionFaultTests.steps).map { .init(HostName("core-\($0)"), layers: ["core"]) })
        let atOnce: (String) -> String = { plan in
            plan.replacingOccurrences(of: "batches: [1, 100%]", with: "batches: [100%]")
                .replacingOccurrences(of: "maxInFlight: 2", with: "maxInFlight: \(ConnectionFaultTests.steps)")
                .replacingOccurrences(of: "progressDeadlineSeconds: 60", with: "progressDeadlineSeconds: 600")
                // Many hosts start their processes at the same moment, so one of them may take long.
                .replacingOccurrences(of: "timeoutSeconds: 20", with: "timeoutSeconds: 120")
        }
        try await withProxies(layout, change: atOnce) { fleet in
            let plain = try fleet.lab.hosts.map { try Proxy(fleet, to: $0, fault: "none", bytes: 0) }
            try await upgrade(fleet)
            let total = try plain.map { try $0.firstConnection() }.min() ?? 0
            for proxy in plain { proxy.end() }
            #expect(total > 10_000, "\(total) bytes are too few for a run")
            let stalled = try fleet.lab.hosts.enumerated().map { index, host in
                try Proxy(fleet, to: host, fault: "stall", bytes: 300 + index * total / ConnectionFaultTests.steps)
            }
            defer { for proxy in stalled { proxy.end() } }
            try await upgrade(fleet)
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }
}
