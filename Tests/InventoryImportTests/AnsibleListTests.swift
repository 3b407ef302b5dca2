import Foundation
import Inventory
import InventoryImport
import Testing
import UpgradeDomain

/// What `ansible-inventory --list` prints becomes an inventory of ours.
struct AnsibleListTests {
    static let list = """
        {"_meta": {"hostvars": {
          "DB_1": {"ansible_host": "192.0.2.11", "ansible_port": 2222, "ansible_user": "pg", "site": "ams", "secret": {"__ansible_vault": "x"}},
          "app-1": {"ansible_host": "192.0.2.21", "ansible_ssh_common_args": "-o ProxyCommand=\\"ssh -W %h:%p -q ops@jump.example.net -p 2200\\" -o StrictHostKeyChecking=no"},
          "app-2": {"ansible_host": "192.0.2.22", "ansible_ssh_common_args": "-o ProxyJump=DB_1"},
          "mon": {}, "win": {"ansible_connection": "winrm"}}},
         "all": {"children": ["ungrouped", "stack"]},
         "stack": {"children": ["dbservers", "app"]},
         "dbservers": {"hosts": ["DB_1"]}, "app": {"hosts": ["app-1", "app-2"]}, "ungrouped": {"hosts": ["mon", "win"]}}
        """
    static let map = """
        version: 1
        sshConfig: none
        defaults: {workingDirectory: /srv/stack, baseURL: "http://127.0.0.1:80", user: deploy}
        layers:
          - {name: data, owners: [ana], groups: [dbservers]}
          - {name: core, owners: [bo], groups: [app], baseURL: "http://127.0.0.1:90"}
        variables: [s*]
        hosts:
          app-2: {silenceSeconds: 9}
        """
    static let answers = SSHConfigAnswers(configFile: "none", defaults: SSHConfigAnswer("user me\n"))

    static func read(_ list: String = list, _ map: String? = map) throws -> (FleetInventory, MappedInventory) {
        let mapping = try map.map { try InventoryMapping.read(text: $0, file: "map.yaml") }
        let mapped = MappedInventory(of: try AnsibleList(Array(list.utf8), file: "list.json").inventory, with: mapping)
        return (try mapped.resolved(by: answers), mapped)
    }

    @Test func hostsGroupsAndWaysBecomeAnInventory() throws {
        let (inventory, mapped) = try AnsibleListTests.read()
        #expect(inventory.layers.map(\.name) == ["data", "core"])
        #expect(inventory.hosts.map(\.name) == ["db-1", "app-1", "app-2", "jump.example.net"])
        let hosts = Dictionary(uniqueKeysWithValues: inventory.hosts.map { ($0.name.rawValue, $0) })
        let database = try #require(hosts["db-1"])
        #expect(database.address == "192.0.2.11" && database.port == 2222 && database.user == "pg")
        #expect(database.variables == ["site": "ams"] && database.jump == nil)
        #expect(database.placements == [.init(layer: "data", baseURL: "http://127.0.0.1:80")])
        #expect(hosts["app-1"]?.jump == "jump.example.net" && hosts["app-1"]?.user == "deploy")
        #expect(hosts["app-1"]?.placements == [.init(layer: "core", baseURL: "http://127.0.0.1:90")])
        #expect(hosts["app-2"]?.jump == "db-1" && hosts["app-2"]?.silenceSeconds == 9)
        let jump = try #require(hosts["jump.example.net"])
        #expect(jump.port == 2200 && jump.user == "ops" && jump.placements.isEmpty)
        #expect(mapped.dropped == ["secret": 1, "ssh -o StrictHostKeyChecking": 1])
    }
}
