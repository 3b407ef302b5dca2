import Foundation
import Inventory
import InventoryImport
import Testing
import UpgradeDomain

/// What is exported and imported again is the same inventory.
struct RoundTripTests {
    /// Every key, and texts that a format could take for something else.
    static let file = """
        version: 1
        sshConfig: none
        layers:
          - {name: data, owners: [ana]}
          - {name: web-edge, owners: [bo, "c@d"]}
        hosts:
          - {name: bastion, address: 192.0.2.1, port: 2200, user: ops}
          - {name: inner, address: inner.example.net, user: ops, jump: bastion}
          - name: a
            address: 2001:db8::1
            user: deploy
            jump: inner
            identityFile: "~/.ssh/a key"
            transport: openssh
            silenceSeconds: 9
            workingDirectory: "/srv/$${x}, y"
            agentDirectory: /opt/lockflight
            labels: {rack: "a, \\"b\\"; c", empty: ""}
            variables: {site: "{{ x }}", note: "two\\nlines \\x26a \\x3f", dollar: "${var.z}", number: "007"}
            layers: {data: {baseURL: "http://127.0.0.1:1"}, web-edge: {baseURL: "http://127.0.0.1:2"}}
          - {name: b, address: 192.0.2.3, user: deploy, workingDirectory: /srv, baseURL: "http://h:1", layers: [web-edge]}
          - name: c
            address: 192.0.2.4
            layers:
              data: {workingDirectory: "/srv/$${db}"}
              web-edge: {workingDirectory: /srv/web, baseURL: "http://127.0.0.1:3", variables: {role: "a, b", n: "01"}}
        """

    static var inventory: FleetInventory {
        get throws { try InventoryFile.read(text: file, file: "f").resolved(by: GeneratedFleetTests.answers) }
    }

    @Test func anInventoryFileIsReadBack() throws {
        let text = ExportFormat.json.text(of: try RoundTripTests.inventory)
        let read = try InventoryFile.read(text: text, file: "f").resolved(by: GeneratedFleetTests.answers)
        #expect(read == (try RoundTripTests.inventory))
        #expect(text.contains("\"port\": 2200") && text.contains("\"sshConfig\": \"none\""))
    }

    @Test func aTableIsReadBack() throws {
        let text = ExportFormat.csv.text(of: try RoundTripTests.inventory)
        let foreign = try HostTable.read(text: text, file: "f.csv", mapping: nil)
        let mapped = MappedInventory(of: foreign, with: nil)
        #expect(mapped.draft.sshConfig == "none")
        #expect(try mapped.resolved(by: GeneratedFleetTests.answers) == (try RoundTripTests.inventory))
        #expect(mapped.remarks == [])
    }

    @Test func whatSSHConfigSaidIsLeftToIt() throws {
        let lines = [
            "hostname 192.0.2.9", "hostkeyalias k", "identityfile ~/.ssh/one", "identityfile ~/.ssh/two",
            "proxyjump bastion",
        ]
        let answers = SSHConfigAnswers(
            configFile: nil, defaults: SSHConfigAnswer("user me\nidentityfile ~/.ssh/id_rsa\n"),
            hosts: ["a": SSHConfigAnswer((["user me"] + lines).joined(separator: "\n") + "\n")])
        let file = """
            version: 1
            layers: [{name: data, owners: [ana]}]
            hosts:
              - {name: bastion, address: 192.0.2.1, user: ops, jump: none}
              - {name: a, address: alias-a, workingDirectory: /srv, layers: {data: {baseURL: "http://127.0.0.1:1"}}}
            """
        let inventory = try InventoryFile.read(text: file, file: "f").resolved(by: answers)
        #expect(inventory.hosts[1].ssh?.proxyJump == "bastion" && inventory.hosts[1].address == "192.0.2.9")
        let json = ExportFormat.json.text(of: inventory)
        #expect(try InventoryFile.read(text: json, file: "f").resolved(by: answers) == inventory)
        let table = try HostTable.read(text: ExportFormat.csv.text(of: inventory), file: "f.csv", mapping: nil)
        #expect(try MappedInventory(of: table, with: nil).resolved(by: answers) == inventory)
    }
}
