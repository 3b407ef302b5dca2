import Foundation
import LabFleet
import Subprocess
import Testing
import UpgradeDomain

/// README and guide show what the program prints: their own commands are run over a lab of eight hosts.
struct GuideTests {
    private static let layout = LabLayout.standard(hosts: 8)

    /// A folder with the files of the page, a home with a known_hosts file, and no ledger yet.
    static func reader(of path: String, _ fleet: FleetFixture) throws -> PageReader {
        let folder = "\(fleet.folder)/reader"
        let files = FileManager.default
        try? files.removeItem(atPath: folder)
        try files.createDirectory(atPath: "\(folder)/.ssh", withIntermediateDirectories: true)
        try files.copyItem(atPath: fleet.lab.inventoryPath, toPath: "\(folder)/fleet.yaml")
        try files.copyItem(atPath: fleet.lab.knownHostsPath, toPath: "\(folder)/.ssh/known_hosts")
        try files.copyItem(atPath: fleet.lab.planPath(to: "1.5.0"), toPath: "\(folder)/upgrade.yaml")
        return try PageReader(
            of: path, fleet, in: folder,
            fleet.environment.updating(["HOME": folder, "LOCKFLIGHT_LEDGER": "\(folder)/ledger.sqlite"]))
    }

    private static let owners = "--as data-owner --as core-owner --as edge-owner"

    @Test func theGuidesExamplesMatchWhatIsPrinted() async throws {
        try await FleetFixture.with(GuideTests.layout) { fleet in
            var guide = try GuideTests.reader(of: "docs/operator-guide.md", fleet)
            try await guide.read("import")
            try await guide.read("scan", asking: "Type \"yes\" to confirm:")
            try await guide.read("trust")
            try await fleet.lab.inject(.sshdDown, on: "edge-3", target: "1.5.0")
            try await guide.read("check")
            try await fleet.lab.mend("edge-3")
            for name in ["plan", "refused", "approve"] { try await guide.read(name) }
            try await guide.typed("lockflight plan approve lab-1.5.0 \(GuideTests.owners)")
            for name in ["start", "finalize"] { try await guide.read(name) }
            try await guide.typed(
                "lockflight plan add '\(fleet.lab.planPath(to: "1.6.0"))' && lockflight plan approve lab-1.6.0 \(GuideTests.owners)"
            )
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-2", target: "1.6.0")
            try await guide.typed("lockflight rollout start lab-1.6.0")
            for name in ["held", "diff", "resume-refused", "output", "rollback"] { try await guide.read(name) }
            try await withSSHConfig(fleet) { reader in
                try await reader.read("ssh-config")
                guide.join(reader)
            }
            #expect(guide.unread == [] && guide.session.unmarked == [])
        }
    }

    /// An inventory whose host had an address and now has an alias of ssh_config; neither is connected to.
    private func withSSHConfig(_ fleet: FleetFixture, _ read: (inout PageReader) async throws -> Void) async throws {
        var reader = try GuideTests.reader(of: "docs/operator-guide.md", fleet)
        func write(_ address: String) throws {
            try """
            version: 1
            sshConfig: ssh_config
            layers: [{name: core, owners: [bo]}]
            hosts:
              - {name: core-1, address: \(address), workingDirectory: /srv, layers: {core: {baseURL: "http://127.0.0.1:1"}}}
            """.write(toFile: "\(reader.folder)/fleet.yaml", atomically: true, encoding: .utf8)
        }
        try "Host rack-7\n  HostName 10.0.2.12\n  HostKeyAlias rack-seven\n  Ciphers aes256-ctr\n"
            .write(toFile: "\(reader.folder)/ssh_config", atomically: true, encoding: .utf8)
        try write("10.0.2.11")
        try await reader.typed("lockflight inventory import fleet.yaml --allow-ssh-config")
        try write("rack-7")
        try await read(&reader)
    }

    @Test func theReadmesStatusMatchesWhatIsPrinted() async throws {
        try await FleetFixture.with(GuideTests.layout) { fleet in
            var readme = try GuideTests.reader(of: "README.md", fleet)
            try await readme.typed(
                """
                lockflight inventory import fleet.yaml && lockflight inventory trust --known-hosts .ssh/known_hosts \
                && lockflight plan add upgrade.yaml && lockflight plan approve lab-1.5.0 \(GuideTests.owners) \
                && lockflight rollout start lab-1.5.0 && lockflight rollout finalize \
                && lockflight plan add '\(fleet.lab.planPath(to: "1.6.0"))' \
                && lockflight plan approve lab-1.6.0 \(GuideTests.owners)
                """)
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-2", target: "1.6.0")
            try await readme.typed("lockflight rollout start lab-1.6.0")
            try await readme.read("status")
            #expect(readme.unread == [] && readme.session.unmarked == [])
        }
    }
}
