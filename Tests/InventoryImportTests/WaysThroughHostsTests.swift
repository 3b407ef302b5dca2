import FileReading
import Inventory
import InventoryImport
import Testing
import UpgradeDomain

/// What is said of the way to a host arrives, or is reported; nothing of it is lost in silence.
struct WaysThroughHostsTests {
    private func mapped(_ hosts: [String: String], _ mapping: String = "") throws -> MappedInventory {
        let variables = hosts.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
        let names = hosts.keys.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
        let list = """
            {"_meta": {"hostvars": {\(variables)}}, "all": {"children": ["app"]}, "app": {"hosts": [\(names)]}}
            """
        let file = """
            version: 1
            sshConfig: none
            defaults: {user: deploy, workingDirectory: /srv}
            layers: [{name: app, owners: [ana], hosts: ["a*"]}]
            \(mapping)
            """
        return MappedInventory(
            of: try AnsibleList(Array(list.utf8), file: "list.json").inventory,
            with: try InventoryMapping.read(text: file, file: "map.yaml"))
    }

    private func hosts(_ hosts: [String: String], _ mapping: String = "") throws -> [HostName: Host] {
        let inventory = try mapped(hosts, mapping).resolved(by: GeneratedFleetTests.answers)
        return Dictionary(uniqueKeysWithValues: inventory.hosts.map { ($0.name, $0) })
    }

    private func messages(_ hosts: [String: String], _ mapping: String = "") throws -> [String] {
        do {
            _ = try mapped(hosts, mapping).resolved(by: GeneratedFleetTests.answers)
            return []
        } catch let error as FileProblems {
            return error.problems.map(\.message)
        }
    }

    @Test func aWayOfAllHostsThroughTwoListedOnesKeepsItsFirst() throws {
        let all = #"{"ansible_ssh_common_args": "-o ProxyJump=b1,b2"}"#
        let found = try hosts(["a1": all, "b1": all, "b2": all])
        #expect(found["a1"]?.jump == "b2" && found["b2"]?.jump == "b1" && found["b1"]?.jump == nil)
    }

    @Test func aJumpHostThatTheMappingNamesKeepsItsOwnWay() throws {
        let found = try hosts(
            ["a1": "{}", "b1": "{}", "b2": #"{"ansible_ssh_common_args": "-J b1"}"#], "hosts: {a1: {jump: b2}}")
        #expect(found["a1"]?.jump == "b2" && found["b2"]?.jump == "b1")
    }

    @Test func whatAWaySaysOfAListedHostCompletesItsEntryOrIsReported() throws {
        let way = #"{"ansible_ssh_common_args": "-o ProxyCommand=\"ssh -W %h:%p -p 2222 -i ~/.ssh/jump ops@b1\""}"#
        let bastion = try #require(try hosts(["a1": way, "b1": "{}"])["b1"])
        #expect(bastion.user == "ops" && bastion.port == 2222 && bastion.identityFile == "~/.ssh/jump")
        // A host that is only passed is reached as its ways say; one that is in a layer, as its own entry says.
        let other = #"{"ansible_user": "deploy"}"#
        #expect(try hosts(["a1": way, "b1": other])["b1"]?.user == "ops")
        #expect(
            try messages(["a1": way, "ab": other].merging(["a1": way.replacing("ops@b1", with: "ops@ab")]) { $1 }) == [
                "hosts reach the jump host ab with different users, keys or ways"
            ])
    }

    @Test func aCommandThatSaysWhichHostIsMeantIsNoJump() throws {
        let way = #"{"ansible_ssh_common_args": "-o ProxyCommand=\"ssh -F ./ssh.cfg -W %h:%p b1\""}"#
        let found = try hosts(["a1": way, "b1": "{}"])
        #expect(found["a1"]?.jump == nil && found["a1"]?.transport == .openssh)
    }

    @Test func theOlderNamesOfVariablesWin() throws {
        let found = try hosts(["a1": #"{"ansible_user": "deploy", "ansible_ssh_user": "root"}"#])
        #expect(found["a1"]?.user == "root")
    }

    @Test(arguments: [
        ("hosts: {a2: {jump: none}}", "list.json has no host 'a2'"),
        ("leaveOut: [b9]", "list.json has no host 'b9'"),
    ])
    func aHostOfTheMappingThatIsNotThereIsReported(_ mapping: String, _ message: String) throws {
        #expect(try messages(["a1": "{}", "b1": "{}"], mapping) == [message])
    }

    @Test func whatAGroupOfTheMappingSaysOverrulesVariables() throws {
        let found = try hosts(
            ["a1": #"{"http_port": "5432", "site": "ams"}"#],
            "variables: [http_port, site]\ngroups: {app: {variables: {http_port: \"5433\"}}}")
        #expect(found["a1"]?.variables == ["http_port": "5433", "site": "ams"])
    }

    @Test func whatIsWrongWithAHostMattersOnlyWhereItIsTaken() throws {
        let open = #"{"ansible_host": "{{ x }}"}"#
        #expect(try messages(["a1": open]).count == 1)
        #expect(try messages(["a1": "{}", "w1": open]) == [])
        #expect(try messages(["a1": open], "hosts: {a1: {address: 192.0.2.1}}") == [])
    }

    @Test func twoColumnsForOneKeyAreReported() throws {
        let mapping = try InventoryMapping.read(
            text: "version: 1\nlayers: [{name: app, owners: [ana], hosts: [\"*\"]}]", file: "m")
        func read(_ header: String) throws -> ForeignInventory {
            try HostTable.read(text: header + "\na1,x,y\n", file: "hosts.csv", mapping: mapping)
        }
        let problems = #expect(throws: FileProblems.self) { try read("name,private_ip,primary_ip") }
        #expect(
            problems?.problems.map(\.message) == [
                "the columns 'private_ip' and 'primary_ip' are both the address of a host"
            ])
        // A column that has the key's own name is meant.
        #expect(try read("name,address,ip").hosts[0].variables == ["ip": "y"])
    }
}
