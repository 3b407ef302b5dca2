import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// A connection that is spoiled at any byte changes nothing about what happened on the host.
@Suite(.serialized)
struct ConnectionFaultTests {
    static let one = LabLayout(layers: ["core"], members: [.init("core-1", layers: ["core"])])
    /// Into how many parts the bytes of an undisturbed run are cut.
    static let steps = 8

    /// The proxy of `Proxy/proxy.py`, listening beside the host.
    private final class Proxy {
        private let process = Process()
        private let output = Pipe()

        init(_ fleet: FleetFixture, to host: LabHost, at address: String, fault: String, bytes: Int) throws {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments =
                [
                    "python3", FleetFixture.repository + "/Tests/EndToEndTests/Proxy/proxy.py", address,
                    "\(host.sshPort)",
                ]
                + [host.address, "\(host.sshPort)", fault, "1", "\(bytes)"]
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

        /// SIGTERM would not do: a child inherits the signals that this thread blocks.
        func end() {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    /// A run through the proxy, its count of redeploys, and everything back as it was.
    private func upgrade(_ fleet: FleetFixture, _ host: LabHost) async throws {
        let outcome = try await fleet.run(["rollout", "start", "lab-1.5.0"])
        #expect(outcome.code == FleetFixture.Exit.verified.rawValue, "\(outcome.output)\(outcome.errors)")
        #expect(try await fleet.version("core-1", "core") == "1.5.0")
        #expect(try CrashTests.redeploys(fleet, "core-1") == 1)
        try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "test")
        try await fleet.expect(.verified, "rollout", "finalize")
        try FileManager.default.removeItem(atPath: host.root + "/redeploys")
    }

    @Test func aConnectionThatIsSpoiledAnywhereChangesNoOutcome() async throws {
        try await FleetFixture.with(ConnectionFaultTests.one) { fleet in
            // The agent is brought beforehand, so that the bytes are those of the run.
            try await fleet.expect(.verified, "inventory", "check")
            let host = try fleet.lab.host("core-1")
            let beside = host.address.split(separator: ".").dropLast().joined(separator: ".") + ".200"
            for (path, from) in [
                (fleet.lab.inventoryPath, "address: \(host.address)"), (fleet.lab.knownHostsPath, "[\(host.address)]"),
            ] {
                let text = try String(contentsOfFile: path, encoding: .utf8)
                #expect(text.contains(from))
                try text.replacingOccurrences(of: from, with: from.replacingOccurrences(of: host.address, with: beside))
                    .write(toFile: path, atomically: true, encoding: .utf8)
            }
            try await fleet.expect(.verified, "inventory", "import", fleet.lab.inventoryPath)
            try await fleet.expect(.verified, "inventory", "trust", "--known-hosts", fleet.lab.knownHostsPath)
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)

            let plain = try Proxy(fleet, to: host, at: beside, fault: "none", bytes: 0)
            try await upgrade(fleet, host)
            let total = try plain.firstConnection()
            plain.end()
            #expect(total > 10_000, "\(total) bytes are no run")
            for (index, offset) in stride(from: 300, to: total, by: total / ConnectionFaultTests.steps).enumerated() {
                let fault = ["cut", "reset", "half"][index % 3]
                let proxy = try Proxy(fleet, to: host, at: beside, fault: fault, bytes: offset)
                defer { proxy.end() }
                try await upgrade(fleet, host)
            }
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }
}
