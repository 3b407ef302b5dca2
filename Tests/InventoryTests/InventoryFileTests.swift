import FileReading
import Foundation
import Inventory
import PlanFiles
import Testing
import UpgradeDomain

struct InventoryFileTests {
    @Test func theExampleIsReadWithItsDefaults() throws {
        let inventory = try Examples.inventory()
        #expect(inventory.layers.map(\.name) == ["data", "core", "edge"])
        #expect(inventory.layers[1].owners == ["platform-team", "ana"])
        let data = try #require(inventory.hosts.first { $0.name == "data-1" })
        #expect(data.user == "deploy")
        #expect(data.port == 22)
        #expect(data.jump == "bastion-1")
        #expect(data.transport == nil)
        let hardened = try #require(inventory.hosts.first { $0.name == "core-2" })
        #expect(hardened.transport == .openssh)
        #expect(hardened.port == 2222)
        #expect(hardened.user == "deploy")
        #expect(data.variables == ["site": "ams"])
        #expect(data.baseURL(in: "data") == "http://127.0.0.1:8080")
        #expect(inventory.hosts.first { $0.name == "core-1" }?.variables == ["site": "fra"])
        #expect(inventory.hosts.first { $0.name == "edge-1" }?.baseURL(in: "edge") == "http://127.0.0.1:8090")
        #expect(inventory.hosts(in: "core").map(\.name) == ["core-1", "core-2", "edge-1"])
    }

    @Test func aHostOverridesItsGroupAndAGroupOverridesTheDefaults() throws {
        let text = try Examples.text("examples/inventory.yaml")
            .replacingOccurrences(of: "port: 2222}", with: "port: 2222, variables: {site: muc, role: db}}")
            .replacingOccurrences(
                of: "group: hardened", with: "group: hardened\n    transport: libssh2\n    variables: {role: api}")
        let host = try #require(try Examples.inventory(text).hosts.first { $0.name == "core-2" })
        #expect(host.port == 2222)
        #expect(host.transport == .libssh2)
        #expect(host.variables == ["site": "muc", "role": "api"])
    }

    /// A replacement in the example and the resulting problem, reported at the line of `at`.
    static let refusals: [(from: String, to: String, at: String, message: String)] = [
        ("version: 1", "version: 2", "version: 2", "is 2"),
        ("    owners: [ana]\n", "", "- name: data", "layer data has no owner"),
        ("  - name: core-1\n", "  - name: data-1\n", "core-1", "host data-1 is listed twice"),
        ("address: 192.0.2.21", "address: 192.0.2.11", "name: core-1", "have the same address and port"),
        ("port: 2222", "port: 70000", "port: 70000", "is 70000"),
        ("port: 2222", "port: many", "port: many", "is not a whole number"),
        ("transport: openssh", "transport: telnet", "transport: telnet", "'telnet' is not a transport"),
        ("group: hardened", "group: hardend", "group: hardend", "core-2 is in an unknown group 'hardend'"),
        ("  hardened: {", "  Hardened: {", "Hardened: {", "'Hardened' is not a valid group name"),
        ("port: 2222", "prot: 2222", "prot: 2222", "has no key 'prot'"),
        ("    jump: bastion-1\n    labels", "    jump: nowhere\n    labels", "name: data-1", "unknown host 'nowhere'"),
        ("layers: [data]", "layers: [date]", "layers: [date]", "unknown layer 'date'"),
        ("layers: [data]", "layers: []", "name: data-1", "host data-1 is in no layer"),
        ("workingDirectory: /srv/stack", "workingDirectory: srv", "workingDirectory: srv", "is not absolute"),
        ("baseURL: http://127.0.0.1:8080 ", "baseURL: http://127.0.0.1:8080/ ", "8080/", "is not valid"),
        ("- name: core-2", "- name: Core_2", "Core_2", "is not a valid host name"),
        ("address: core-2.example.net", "address: \"me@there\"", "me@there", "is not a valid address"),
        ("address: core-2.example.net", "address: \"-oProxyCommand=id\"", "-oProxy", "is not a valid address"),
        ("address: core-2.example.net", "address: \"10.0.0.1:2222\"", "10.0.0.1:2222", "is not a valid address"),
        ("address: core-2.example.net", "address: \"[fe80::1]\"", "fe80::1", "is not a valid address"),
        ("address: core-2.example.net", "address: \"a@\u{301}b\"", "a@\u{301}b", "is not a valid address"),
        ("address: core-2.example.net", "address: \"a$(id)\"", "a$(id)", "is not a valid address"),
        ("address: core-2.example.net", "address: node.1", "name: core-2", "ssh_config has no HostName for it"),
        ("address: 192.0.2.21", "address: \"::ffff:192.0.2.11\"", "name: core-1", "have the same address and port"),
        ("owners: [ana]", "owners: [\"ana | bob\"]", "ana | bob", "is not a valid owner name"),
        (
            "baseURL: http://127.0.0.1:8080 ", "baseURL: http://127.0.0.1:${port} ", "- name: data-1",
            "'${port}' has no value"
        ),
        (
            "workingDirectory: /srv/stack", "workingDirectory: ${var.site}", "- name: data-1",
            "'ams' of host data-1 is not"
        ),
    ]

    @Test func placeholdersAreExpandedForEachHost() throws {
        let text = try Examples.text("examples/inventory.yaml")
            .replacingOccurrences(
                of: "baseURL: http://127.0.0.1:8080 ", with: "baseURL: http://${address}:80/${layer} "
            )
            .replacingOccurrences(of: "workingDirectory: /srv/stack", with: "workingDirectory: /srv/${var.site}/$${x}")
        let host = try #require(try Examples.inventory(text).hosts.first { $0.name == "data-1" })
        #expect(host.workingDirectory == "/srv/ams/${x}")
        #expect(host.placements.map(\.baseURL) == ["http://\(host.address):80/data"])
    }

    /// An older build stored names that are no longer allowed, and an inventory can lose a variable.
    @Test func whatKeepsAPlanFromStartingIsNamed() throws {
        let inventory = try Examples.inventory()
        var plan = try Examples.plan(try Examples.text("examples/plan.yaml"))
        #expect(plan.startProblems(over: inventory, at: Examples.now) == [])
        plan.layers[0].steps[0].name = "rollback!"
        #expect(
            plan.startProblems(over: inventory, at: Examples.now).first?.hasPrefix("'rollback!' is no step name")
                == true)
        plan = try Examples.plan(try Examples.text("examples/plan.yaml"))
        plan.materialization.arguments.append("${var.site}")
        var poorer = inventory
        for index in poorer.hosts.indices { poorer.hosts[index].variables = [:] }
        #expect(plan.startProblems(over: inventory, at: Examples.now) == [])
        #expect(
            plan.startProblems(over: poorer, at: Examples.now).first?.contains("'${var.site}' has no value") == true)
        // A host that takes no part needs no variable.
        var one = inventory
        let last = try #require(inventory.hosts.last)
        one.hosts[one.hosts.count - 1].variables = [:]
        #expect(plan.startProblems(over: one, at: Examples.now).contains { $0.contains("has no value") })
        plan.exclusions.append(Exclusion(host: last.name, reason: "r"))
        #expect(!plan.startProblems(over: one, at: Examples.now).contains { $0.contains("has no value") })
        // A vantage host takes part.
        plan = try Examples.plan(try Examples.text("examples/plan.yaml"))
        plan.exclusions.append(Exclusion(host: "data-1", reason: "r"))
        #expect(
            plan.startProblems(over: inventory, at: Examples.now).contains {
                $0.contains("is captured from data-1, which is not among")
            }
        )
        #expect(plan.isStartableOverAnother(at: Examples.now))
        poorer = inventory
        poorer.hosts.removeAll { $0.name == "data-1" }
        plan.exclusions = []
        #expect(
            plan.startProblems(over: poorer, at: Examples.now).contains {
                $0.contains("which is not among the plan's hosts")
            })
        // The rules for a plan file also apply to a stored plan.
        plan.waivers[0].expiresAtMilliseconds = Examples.now.milliseconds
        #expect(plan.startProblems(over: inventory, at: Examples.now).count == 1)
        #expect(!plan.isStartableOverAnother(at: Examples.now))
        plan.waivers[0].expiresAtMilliseconds += 1
        #expect(plan.startProblems(over: inventory, at: Examples.now) == [])
        plan.layers[0].steps.append(plan.layers[0].steps[0])
        #expect(plan.startProblems(over: inventory, at: Examples.now).contains { $0.contains("is listed twice") })
        #expect(!plan.isStartableOverAnother(at: Examples.now))
        poorer = inventory
        poorer.hosts[poorer.hosts.count - 1].address = "-oProxyCommand=id"
        #expect(
            plan.startProblems(over: poorer, at: Examples.now).first?.hasPrefix("'-oProxyCommand=id' of host") == true)
    }

    @Test(arguments: refusals.indices)
    func aBadInventoryIsRefusedWithLineAndRemedy(_ index: Int) throws {
        let (from, to, at, message) = InventoryFileTests.refusals[index]
        let good = try Examples.text("examples/inventory.yaml")
        #expect(good.contains(from), "the example no longer holds \(from)")
        let bad = good.replacingOccurrences(of: from, with: to)
        let problems = Examples.problems(inventory: bad)
        let found = try #require(
            problems.first { $0.message.contains(message) }, "\(message): \(problems.map(\.description))")
        let expected = at == "core-1" ? good.line(of: "- name: core-1") : bad.line(of: at)
        #expect(found.line == expected, "\(found)")
        #expect(!found.remedy.isEmpty)
        #expect(found.description.hasPrefix("inventory.yaml:\(found.line): "))
    }

    @Test func everyProblemIsReportedAtOnceInTheOrderOfTheLines() throws {
        let bad = try Examples.text("examples/inventory.yaml")
            .replacingOccurrences(of: "port: 2222", with: "port: 0")
            .replacingOccurrences(of: "layers: [data]", with: "layers: [date]")
            .replacingOccurrences(of: "owners: [network-team]", with: "owner: [network-team]")
        let problems = Examples.problems(inventory: bad)
        #expect(problems.count == 3)
        #expect(problems.map(\.line) == problems.map(\.line).sorted())
        #expect(problems.contains { $0.remedy == "did you mean 'owners'? use one of: name, owners" })
    }

    @Test(arguments: [
        ("", "empty"), ("version: [", "not YAML"), ("a: 1\na: 2\n", "is listed twice"), ("- x", "not a mapping"),
    ])
    func aFileThatIsNotAnInventoryIsOneClearProblem(_ text: String, _ message: String) {
        let problems = Examples.problems(inventory: text)
        #expect(problems.contains { $0.message.contains(message) }, "\(problems)")
    }

    @Test func aFileThatIsTooLargeIsNotRead() {
        let problems = Examples.problems(inventory: "# " + String(repeating: "x", count: 8_400_000))
        #expect(problems.count == 1)
        #expect(problems.first?.message.contains("bytes") == true)
    }

    @Test func anImportSaysWhatChangedAndKeepsPinsOfHostsThatStay() throws {
        var old = try Examples.inventory()
        for index in old.hosts.indices { old.hosts[index].hostKeys = [HostKey(type: "ssh-ed25519", base64: "AAAA")] }
        let text = try Examples.text("examples/inventory.yaml")
            .replacingOccurrences(of: "192.0.2.21", with: "192.0.2.22")
            .replacingOccurrences(of: "owners: [ana]", with: "owners: [eve]")
        let new = try InventoryFile.read(text: text, file: "f").resolved(by: Examples.silence).keepingPins(of: old)
        let difference = InventoryDifference(from: old, to: new)
        #expect(
            difference.changes == [
                "layer data: owners ana -> eve", "host core-1: address 192.0.2.21 -> 192.0.2.22",
                "host core-1: host keys 1 pinned -> 0 pinned",
            ])
        #expect(new.hosts.first { $0.name == "core-1" }?.hostKeys.isEmpty == true)
        #expect(new.hosts.first { $0.name == "data-1" }?.hostKeys.count == 1)
    }

    // MARK: Short files

    private static let short = """
        version: 1
        defaults: {user: deploy, workingDirectory: /srv/stack, baseURL: "http://127.0.0.1:80", jump: inner}
        groups:
          eu: {variables: {site: ams, zone: a}, port: 2201}
          db: {port: 2202, variables: {zone: b}}
        layers: [{name: core, owners: [ana]}]
        hosts:
          - {name: outer.example.net}
          - {name: inner, jump: outer.example.net, address: 192.0.2.2}
          - {name: core-1.example.net, layers: [core], groups: [eu, db]}
          - {name: core-2.example.net, layers: [core], groups: [db, eu], jump: none}
        """

    @Test func anAddressIsTheNameAndJumpHostsNeedNoLayersOrWayOfTheirOwn() throws {
        let hosts = try Examples.inventory(InventoryFileTests.short).hosts
        #expect(hosts.map(\.address) == ["outer.example.net", "192.0.2.2", "core-1.example.net", "core-2.example.net"])
        // A host on the way to the common jump host does not go through it.
        #expect(hosts.map(\.jump) == [nil, "outer.example.net", "inner", nil])
        #expect(hosts.map(\.placements.isEmpty) == [true, true, false, false])
        let stray = InventoryFileTests.short + "\n  - {name: stray.example.net, jump: none}"
        #expect(Examples.problems(inventory: stray).map(\.message) == ["host stray.example.net is in no layer"])
        let misspelled = InventoryFileTests.short.replacing("address: 192.0.2.2", with: "adress: 192.0.2.2")
        #expect(Examples.problems(inventory: misspelled).map(\.message) == ["the file.hosts[2] has no key 'adress'"])
    }

    /// What the inventory says has precedence over `ProxyJump` of ssh_config.
    @Test func aHostThatIsReachedDirectlyTakesNoJumpHostFromSSHConfig() throws {
        let names: [HostName] = ["outer.example.net", "inner", "core-1.example.net", "core-2.example.net"]
        let answers = SSHConfigTests.answers(
            Dictionary(uniqueKeysWithValues: names.map { ($0, ["proxyjump outer.example.net"]) }))
        let hosts = try InventoryFile.read(text: InventoryFileTests.short, file: "f").resolved(by: answers).hosts
        #expect(hosts.map(\.jump) == [nil, "outer.example.net", "inner", nil])
    }

    @Test func aLaterGroupOverrulesAnEarlierOneAndTheImportNamesWhere() throws {
        let hosts = try Examples.inventory(InventoryFileTests.short).hosts
        #expect(hosts.map(\.port) == [22, 22, 2202, 2201])
        #expect(hosts[2].variables == ["site": "ams", "zone": "b"] && hosts[3].variables["zone"] == "a")
        let draft = InventoryFile.read(text: InventoryFileTests.short, file: "f")
        #expect(draft.overruled.map(\.what.key) == ["port", "variables.zone", "port", "variables.zone"])
        #expect(draft.overruled.map(\.what.by) == ["db", "db", "eu", "eu"])
        let both = InventoryFileTests.short.replacing("groups: [eu, db]", with: "groups: [eu, db], group: eu")
        #expect(Examples.problems(inventory: both).contains { $0.message.contains("has 'group' and 'groups'") })
        let unknown = InventoryFileTests.short.replacing("groups: [eu, db]", with: "groups: [eu, us]")
        #expect(
            Examples.problems(inventory: unknown).map(\.message) == [
                "host core-1.example.net is in an unknown group 'us'"
            ])
    }
}
