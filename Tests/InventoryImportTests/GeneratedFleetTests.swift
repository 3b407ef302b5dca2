import FileReading
import Foundation
import Inventory
import InventoryImport
import Testing
import UpgradeDomain

/// Inventories whose right mapping is known, without Ansible.
struct GeneratedFleetTests {
    static let answers = SSHConfigAnswers(configFile: "none", defaults: SSHConfigAnswer("user me\n"))

    /// The hosts of an import are those that the generator made.
    static func expectAll(_ fleet: FleetGenerator, in inventory: FleetInventory, _ names: [String: String]) {
        #expect(inventory.layers.map(\.name.rawValue) == FleetGenerator.layers)
        let hosts = Dictionary(inventory.hosts.map { ($0.name.rawValue, $0) }) { first, _ in first }
        var wrong: [String] = []
        for made in fleet.made {
            let host = hosts[names[made.name] ?? made.name]
            let isRight =
                host?.address == made.address && host?.port == made.port && host?.user == made.user ?? "me"
                && host?.jump?.rawValue == made.jump && host?.placements.map(\.layer.rawValue) == made.layers
            if !isRight { wrong.append("\(made) became \(host.map { "\($0)" } ?? "nothing")") }
        }
        #expect(wrong == [], "\(wrong.count) of \(fleet.hosts)")
        #expect(inventory.hosts.count == fleet.hosts + (fleet.throughSSHW > 0 ? 1 : 0))
    }

    /// The suggested mapping, with the names in it by the names there.
    static func suggested(for foreign: ForeignInventory) throws -> (InventoryMapping, [String: String], String) {
        let text = MappingSuggestion(for: foreign, owner: "ana").text
        var names: [String: String] = [:]
        let lines = text.split(separator: "\n").drop { $0 != "names:" }.dropFirst().prefix { $0.hasPrefix("  ") }
        for line in lines {
            let halves = line.trimmingCharacters(in: .whitespaces).split(separator: ": ")
            names[String(halves[0]).replacing("\"", with: "")] = String(halves[1])
        }
        return (try InventoryMapping.read(text: text + "sshConfig: none\n", file: "map.yaml"), names, text)
    }

    @Test func theSuggestedMappingOfAFleetOfThePublicSizesIsTheRightOne() throws {
        let fleet = FleetGenerator.publicSizes
        let foreign = try AnsibleList(Array(fleet.list.utf8), file: "list.json").inventory
        let (mapping, names, text) = try GeneratedFleetTests.suggested(for: foreign)
        let made = fleet.made
        #expect(made.count { $0.leaves.count > 1 } == 363 && made.map(\.leaves.count).max() == 6)
        #expect(made.count { $0.name == $0.address } == 67 && made.count { $0.name.utf8.count > 63 } == 9)
        #expect(text.contains("groups: [data_tier]") && text.contains("10.0.0.1: data-10-0-0-1"))
        #expect(names.values.allSatisfy { $0.utf8.count <= 63 })
        let mapped = MappedInventory(of: foreign, with: mapping)
        GeneratedFleetTests.expectAll(fleet, in: try mapped.resolved(by: GeneratedFleetTests.answers), names)
        #expect(mapped.dropped == ["site": 737, "banner": 737])
    }

    @Test func tenThousandHostsAreImported() throws {
        var fleet = FleetGenerator.publicSizes
        (fleet.hosts, fleet.bareAddresses) = (10_000, 1_000)
        let foreign = try AnsibleList(Array(fleet.list.utf8), file: "list.json").inventory
        let (mapping, names, _) = try GeneratedFleetTests.suggested(for: foreign)
        let inventory = try MappedInventory(of: foreign, with: mapping).resolved(by: GeneratedFleetTests.answers)
        GeneratedFleetTests.expectAll(fleet, in: inventory, names)
    }

    @Test func ownersFoldersAndPortsAreSuggestedWhereVariablesSayThemOfAll() throws {
        let list = """
            {"_meta": {"hostvars": {
              "a": {"team": "dba", "app_dir": "/srv/a", "http_port": 1}, "b": {"team": "dba", "app_dir": "/srv/b", "http_port": "2"},
              "c": {"team": "web", "app_dir": "/srv/c"}, "d": {"team": "x", "app_dir": "/srv/d", "http_port": 3}}},
             "all": {"children": ["web_db", "db_proxies"]}, "web_db": {"hosts": ["a", "b"]}, "db_proxies": {"hosts": ["c", "d"]}}
            """
        let foreign = try AnsibleList(Array(list.utf8), file: "list.json").inventory
        let (mapping, _, text) = try GeneratedFleetTests.suggested(for: foreign)
        #expect(text.contains("owners: [dba]") && text.contains("owners: [ana]"))
        let inventory = try MappedInventory(of: foreign, with: mapping).resolved(by: GeneratedFleetTests.answers)
        #expect(inventory.layers.map(\.name) == ["data", "proxy"])
        #expect(inventory.hosts.map(\.workingDirectory) == ["/srv/a", "/srv/b", "/srv/c", "/srv/d"])
        let ports = inventory.hosts.map { String($0.placements[0].baseURL?.split(separator: ":").last ?? "") }
        #expect(ports == ["1", "2", "8080", "8080"])
    }

    @Test func withoutAMappingNamesAreMadeValidAndStaySoFromOneImportToTheNext() throws {
        var foreign = ForeignInventory(file: "f")
        foreign.hosts = ["App_1", "--x", "é", String(repeating: "a", count: 80), String(repeating: "a", count: 81)].map
        { ForeignHost(name: $0) }
        let map = """
            version: 1
            layers: [{name: all, owners: [ana], hosts: ["*"]}]
            defaults: {workingDirectory: /srv, baseURL: "http://127.0.0.1:1"}
            hosts: {"--x": {address: 192.0.2.1}, "é": {address: 192.0.2.2}}
            """
        let mapping = try InventoryMapping.read(text: map, file: "m")
        // An address of 80 letters is no DNS name, so only the names are looked at.
        let mapped = MappedInventory(of: foreign, with: mapping)
        let remark = try #require(mapped.remarks.first { $0.contains("another name") })
        #expect(remark.contains("App_1 -> app-1, --x -> x, é -> host-"), "\(remark)")
        #expect(throws: FileProblems.self) { try mapped.resolved(by: GeneratedFleetTests.answers) }
    }
}
