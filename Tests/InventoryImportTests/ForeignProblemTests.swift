import FileReading
import Inventory
import InventoryImport
import Testing
import UpgradeDomain

/// What is wrong with an inventory from elsewhere is said of its hosts, and of what a person wrote.
struct ForeignProblemTests {
    private static let map = """
        version: 1
        sshConfig: none
        defaults: {workingDirectory: /x, user: deploy}
        layers: [{name: data, owners: [a], groups: [db]}]

        """

    private func list(_ hosts: [(String, String)]) -> String {
        let names = hosts.map { "\"\($0.0)\"" }.joined(separator: ", ")
        let variables = hosts.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ")
        return """
            {"_meta": {"hostvars": {\(variables)}}, "all": {"children": ["db"]}, "db": {"hosts": [\(names)]}}
            """
    }

    private func mapped(_ hosts: [(String, String)], _ more: String = "") throws -> MappedInventory {
        let mapping = try InventoryMapping.read(text: ForeignProblemTests.map + more, file: "m.yaml")
        let foreign = try AnsibleList(Array(list(hosts).utf8), file: "u.json").inventory
        return MappedInventory(of: foreign, with: mapping)
    }

    private func problems(_ hosts: [(String, String)], _ more: String = "") throws -> [String] {
        do {
            _ = try mapped(hosts, more).resolved(by: GeneratedFleetTests.answers)
            return []
        } catch let error as FileProblems { return error.problems.map(\.description) }
    }

    @Test func aProblemNamesItsHostAndVariableOnceForAll() throws {
        let user = #"{"ansible_user": "a b"}"#
        #expect(
            try problems([("h1", user)]) == [
                "u.json: host h1: 'a b' is not a valid user name, from ansible_user; \(NameGrammar.login.words)"
            ])
        let many = try problems((1...7).map { ("h\($0)", user) })
        #expect(many.count == 1)
        #expect(many[0].hasPrefix("u.json: host h1 (and h2, h3, h4 and 3 more): 'a b' is not"), "\(many)")
        let port = try problems([("h1", "{}"), ("h2", #"{"ansible_port": "x"}"#)])
        #expect(
            port.count == 1
                && port[0].hasPrefix("u.json: host h2: port is not a whole number, from ansible_port; "), "\(port)")
    }

    @Test func aNameOfTheMappingIsWrongThere() throws {
        let found = try problems([("h1", "{}")], "names: {h1: Db_1}\n")
        #expect(found.count == 1 && found[0].hasPrefix("m.yaml:5: 'Db_1' is not a valid host name"), "\(found)")
    }

    @Test func aVariableThatNoHostHasIsReported() throws {
        let hosts = [("h1", #"{"site": "ams", "pw": {"__ansible_vault": "x"}}"#)]
        #expect(
            try problems(hosts, "variables: [siet]\n") == [
                "m.yaml:5: no host of u.json has a variable 'siet'; did you mean 'site'? correct the name, or remove it"
            ])
        let secret = try problems(hosts, "variables: [site, pw]\n")
        #expect(secret.count == 1 && secret[0].hasPrefix("u.json: pw of host h1 is encrypted; remove pw"), "\(secret)")
        #expect(try problems(hosts, "variables: [\"*\"]\n") == [])
        #expect(
            try problems(hosts, "columns: {a: name}\n") == [
                "m.yaml:5: 'columns' is for tables, and u.json is none; remove it"
            ])
    }

    @Test func aHostThatIsLeftOutIsNotSaidToBeAbsent() throws {
        let hosts = [("h1", "{}"), ("localhost", #"{"ansible_connection": "local"}"#)]
        let found = try problems(hosts, "hosts: {localhost: {address: 10.0.0.1}}\n")
        #expect(
            found.count == 1
                && found[0].hasPrefix(
                    "m.yaml:5: u.json has host 'localhost' with ansible_connection local, which is left out"),
            "\(found)")
        #expect(try problems(hosts, "leaveOut: [localhost]\nnames: {localhost: here}\n") == [])
    }

    @Test func aNameForAHostThatLeftIsARemark() throws {
        let left = try mapped([("db_1", "{}"), ("db_2", "{}")], "names: {db_1: db-1, db_3: db-3}\n")
        #expect(try left.resolved(by: GeneratedFleetTests.answers).hosts.map(\.name) == ["db-1", "db-2"])
        #expect(
            left.remarks.contains(
                "1 name of m.yaml for hosts that u.json does not have: db_3 (did you mean db_2?)"), "\(left.remarks)")
    }

    @Test func theOrderOfAnExportIsKept() throws {
        let text = """
            version: 1
            sshConfig: none
            defaults: {user: deploy, workingDirectory: /srv/stack, baseURL: "http://127.0.0.1:8080"}
            layers: [{name: data, owners: [ops]}, {name: app, owners: [ops]}]
            hosts:
              - {name: zeta, layers: [app]}
              - {name: alpha, layers: [app]}
              - {name: db, layers: [data]}
            """
        let inventory = try InventoryFile.read(text: text, file: "f").resolved(by: GeneratedFleetTests.answers)
        let exported = try FileTree.read(yaml: ExportFormat.ansible.text(of: inventory), file: "e")
        let hosts = try #require(exported.value(of: "all")?.value(of: "hosts")?.members)
        #expect(hosts.map { $0.value.value(of: "lockflight_order")?.text } == ["1", "2", "3"])
        // As Ansible lists it: by groups.
        let listed = """
            {"_meta": {"hostvars": {
              "alpha": {"lockflight_order": 2}, "db": {"lockflight_order": 3}, "zeta": {"lockflight_order": 1}, "new": {}}},
             "all": {"children": ["data", "app"]}, "data": {"hosts": ["db", "new"]}, "app": {"hosts": ["alpha", "zeta"]}}
            """
        let read = try AnsibleList(Array(listed.utf8), file: "l").inventory
        #expect(read.hosts.map(\.name) == ["zeta", "alpha", "db", "new"])
        #expect(!read.hosts.contains { !$0.variables.isEmpty })
    }

    // MARK: Tables

    private let plainAnswers = SSHConfigAnswers(configFile: nil, defaults: SSHConfigAnswer("user me\n"))

    private func table(_ text: String, _ more: String = "") throws -> [String] {
        let mapping = try InventoryMapping.read(text: ForeignProblemTests.map + more, file: "m.yaml")
        do {
            let foreign = try HostTable.read(text: text, file: "t.csv", mapping: mapping)
            _ = try MappedInventory(of: foreign, with: mapping).resolved(by: GeneratedFleetTests.answers)
            return []
        } catch { return error.problems.map { "\($0.line) \($0.message)" } }
    }

    @Test func titlesAreReadInAnyCase() throws {
        #expect(try table("Name,IP,Role,PORT\ndb-1,10.0.0.1,db,22\n") == [])
        #expect(try table("NAME,Group\ndb-1,db\n") == [])
    }

    @Test func whatATableWouldLoseIsAnError() throws {
        #expect(
            try table("name,role,var:foo,foo\na,db,1,2\n") == [
                "1 the columns 'var:foo' and 'foo' are both the variable foo of a host"
            ])
        #expect(
            try table("name,role,foo,foo\na,db,1,2\n", "variables: [foo]\n") == [
                "1 the columns 'foo' and 'foo' are both the variable foo of a host"
            ])
        #expect(try table("name,role,note,note,,\na,db,1,2\n") == [])
        #expect(
            try table("name,role\n\"db-1\"x,db\n\"db-2\" ,db\n") == [
                "2 a cell goes on after its closing quotation mark"
            ])
        #expect(
            try table("name,ip,role\nd\0b,10.0.0.1,db\n") == [
                "2 the name of host d\0b has a character that is not seen"
            ])
        #expect(try table("name,ip,role\na,10.0.0.1,db\na,10.0.0.2,db\n") == ["3 host a is listed twice"])
        #expect(try table("name,role,site\na,db,\n", "variables: [site]\n") == [])
    }

    @Test(arguments: ExportFormat.allCases)
    func whatIsNotSeenIsCarriedAsItIs(_ format: ExportFormat) throws {
        let values = ["tab": "a\tb", "zw": "a\u{200b}b", "rlo": "a\u{202e}b", "bom": "a\u{feff}b", "nb": "a\u{a0}b"]
        let inventory = FleetInventory(
            layers: [InventoryLayer(name: "app", owners: ["ops"])],
            hosts: [
                Host(
                    name: "a", address: "10.0.0.1", user: "u", workingDirectory: "/srv", variables: values,
                    placements: [HostPlacement(layer: "app")])
            ])
        let text = format.text(of: inventory)
        let foreign: ForeignInventory
        switch format {
        case .json:
            #expect(text.contains(#"a\u200bb"#) && text.contains(#"a\ufeffb"#))
            #expect(
                try InventoryFile.read(text: text, file: "f").resolved(by: plainAnswers) == inventory)
            return
        case .ansible:
            #expect(text.contains(#"a\u202eb"#))
            let tree = try FileTree.read(yaml: text, file: "f")
            let own = tree.value(of: "all")?.value(of: "hosts")?.members.first?.value.value(of: "lockflight")
            let read = own?.value(of: "variables")?.members.map { ($0.key, $0.value.text ?? "") } ?? []
            #expect(Dictionary(uniqueKeysWithValues: read) == values)
            return
        case .csv: foreign = try HostTable.read(text: text, file: "f.csv", mapping: nil)
        }
        let read = try MappedInventory(of: foreign, with: nil).resolved(by: plainAnswers)
        #expect(read == inventory)
    }
}
