import Foundation
import LabFleet
import TestSupport
import Testing
import UpgradeDomain

/// The page for operators of Ansible: its inventory, its mapping file and its commands are real.
@Suite(.enabled("\(Ansible.reason)") { Ansible.isInstalled })
struct ComingFromAnsibleTests {
    /// The first block of a language on the page.
    private func block(_ language: String, of page: String) throws -> String {
        let text = try String(contentsOfFile: "\(FleetFixture.repository)/\(page)", encoding: .utf8)
        let start = try #require(text.range(of: "```\(language)\n")).upperBound
        let end = try #require(text[start...].range(of: "\n```")).lowerBound
        return String(text[start..<end]) + "\n"
    }

    /// What the page says is in files beside the inventory: how the lab's hosts are reached, and their folders and ports.
    private func writeVariables(of fleet: FleetFixture, in folder: String) throws {
        let groups: [LayerName: String] = ["data": "dbservers", "core": "appservers", "edge": "loadbalancers"]
        for name in ["group_vars", "host_vars"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        func write(_ text: String, _ path: String) throws {
            try text.write(toFile: "\(folder)/\(path).yml", atomically: true, encoding: .utf8)
        }
        try write(
            """
            ansible_user: \(NSUserName())
            ansible_port: \(fleet.lab.hosts[0].sshPort)
            ansible_ssh_private_key_file: \(fleet.lab.identityPath)
            ansible_become: true

            """, "group_vars/all")
        for (layer, group) in groups {
            let host = try #require(fleet.lab.hosts.first { $0.layers.contains(layer) })
            let port = try #require(host.baseURL(in: layer).split(separator: ":").last)
            try write("http_port: \(port)\n", "group_vars/\(group)")
        }
        for host in fleet.lab.hosts {
            try write("ansible_host: \(host.address)\napp_dir: \(host.workingDirectory)\n", "host_vars/\(host.name)")
        }
    }

    @Test func thePagesExamplesLeadFromAnInventoryOfAnsibleToAVerifiedRollout() async throws {
        try await FleetFixture.with(.standard(hosts: 8)) { fleet in
            let page = "docs/coming-from-ansible.md"
            var reader = try GuideTests.reader(of: page, fleet)
            reader.prelude = "export PATH='\(Ansible.folder ?? "")':\"$PATH\""
            let hosts = "\(reader.folder)/hosts.ini"
            try block("ini", of: page).write(toFile: hosts, atomically: true, encoding: .utf8)
            try writeVariables(of: fleet, in: reader.folder)
            try await reader.read("init-map")
            let suggested = try await reader.typed(
                "lockflight inventory import hosts.ini --from ansible --map map.yaml 2>&1")
            #expect(suggested.hasPrefix("first import: "), "the suggestions can be imported: \(suggested)")
            let again = try await reader.typed(
                "lockflight inventory import hosts.ini --from ansible --init-map map.yaml 2>&1; echo $?; rm ledger.sqlite*"
            )
            #expect(again.contains("map.yaml exists") && again.contains("\n13\n"), "\(again)")
            try block("yaml", of: page).write(
                toFile: "\(reader.folder)/map.yaml", atomically: true, encoding: .utf8)
            try await reader.read("import-map")
            let text = try String(contentsOfFile: hosts, encoding: .utf8)
            try text.replacing("core-[1:3]", with: "core-[1:2]\ncore-3 ansible_user=operator")
                .replacing("10.0.9.9", with: "10.0.9.9\nbastion ansible_host=10.0.9.1")
                .replacing("data-[1:2]", with: "data-1\ndata-2 ansible_ssh_common_args='-J ops@bastion'")
                .write(toFile: hosts, atomically: true, encoding: .utf8)
            try await reader.read("again")
            try text.write(toFile: hosts, atomically: true, encoding: .utf8)
            try await reader.typed("lockflight inventory import hosts.ini --from ansible --map map.yaml")
            for name in ["trust-check", "try", "rollout"] { try await reader.read(name) }
            let exported = try await reader.typed(
                """
                for format in json csv ansible; do lockflight inventory export --format $format > export.$format; done
                mv export.ansible export.yml
                lockflight inventory import export.json
                lockflight inventory import export.csv
                lockflight inventory import export.yml --from ansible
                """)
            #expect(exported == "nothing changed\nnothing changed\nnothing changed\n")
            #expect(reader.unread == [] && reader.session.unmarked == [])
        }
    }
}
