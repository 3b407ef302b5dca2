import FileReading
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

extension AnsibleListTests {
    /// All hosts are behind a jump host that is listed as well, which is not behind itself and has no folder.
    @Test func aJumpHostOfAllIsReachedDirectlyAndNeedsNothingElse() throws {
        let words = "-o ProxyCommand=\\\"ssh -W %h:%p ops@192.0.2.1\\\""
        let list = """
            {"_meta": {"hostvars": {
              "gate": {"ansible_host": "192.0.2.1", "ansible_ssh_common_args": "\(words)"},
              "a": {"ansible_host": "192.0.2.2", "dir": "/srv/a", "ansible_ssh_common_args": "\(words)"},
              "b": {"ansible_host": "192.0.2.3", "dir": "/srv/b", "ansible_ssh_common_args": "-o ProxyCommand='nc -x p %h %p'"}}},
             "all": {"children": ["web"]}, "web": {"hosts": ["a", "b"]}, "other": {"hosts": ["gate"]}}
            """
        let map = """
            version: 1
            sshConfig: none
            defaults: {workingDirectory: "${var.dir}", baseURL: "http://127.0.0.1:80"}
            layers: [{name: web, owners: [ana], groups: [web]}]
            variables: [dir]
            """
        let (inventory, mapped) = try AnsibleListTests.read(list, map)
        #expect(inventory.hosts.map(\.name) == ["a", "b", "gate"])
        #expect(inventory.hosts.map(\.jump) == ["gate", nil, nil])
        #expect(inventory.hosts.map(\.transport) == [nil, .openssh, nil])
        #expect(inventory.hosts.map(\.workingDirectory) == ["/srv/a", "/srv/b", ""])
        #expect(mapped.remarks.contains { $0.contains("ProxyCommand: nc -x p %h %p") })
    }

    @Test func whatNobodyResolvedIsReported() throws {
        let list = """
            {"_meta": {"hostvars": {"a": {"ansible_host": "{{ x }}"}, "b": {"ansible_user": {"__ansible_vault": "x"}, "site": "{{ y }}"},
             "c": {"lockflight": {"labels": {"a": "{% x %}"}}}}},
             "all": {"hosts": ["a", "b", "c"]}}
            """
        let map = AnsibleListTests.map.replacing("[dbservers]", with: "[all]").replacing("[app]", with: "[all]")
        let error = #expect(throws: FileProblems.self) { try AnsibleListTests.read(list, map) }
        let messages = error?.problems.map(\.message)
        #expect(
            messages == [
                "the variable lockflight of host c has a template without a value",
                "ansible_host of host a is a template without a value: {{ x }}", "ansible_user of host b is encrypted",
                "site of host b is a template without a value: {{ y }}", "list.json has no host 'app-2'",
            ])
        for text in ["[]", "{\"all\": {}}", "{"] {
            #expect(throws: FileProblems.self) { try AnsibleListTests.read(text, map) }
        }
    }
}
