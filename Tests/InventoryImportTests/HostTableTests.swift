import FileReading
import Inventory
import InventoryImport
import Testing
import UpgradeDomain

/// Tables and ssh_config files.
struct HostTableTests {
    private func problems(_ text: String) -> [String] {
        do {
            _ = try HostTable.read(text: text, file: "t.csv", mapping: nil)
            return []
        } catch { return error.problems.map { "\($0)" } }
    }

    private static let map = """
        version: 1
        sshConfig: none
        columns: {Rechner: name, Rolle: group}
        defaults: {workingDirectory: "/srv/${var.team}", baseURL: "http://127.0.0.1:80"}
        layers:
          - {name: data, owners: [ana], groups: ["db*"]}
          - {name: web, owners: [ana], groups: [web]}
        variables: [team]
        """
    /// For tables with our own titles.
    private static let plainMap = map.replacing("{Rechner: name, Rolle: group}", with: "{}")

    @Test(arguments: [",", ";", "\t"]) func aTableOfAnotherProgramIsReadWithAMapping(_ mark: String) throws {
        let rows = [
            "Rechner,IP,Rolle,team,rack", "DB 1,192.0.2.1,dbs,x,r1", "\"w1\",192.0.2.2,\"web|dbs\",\"y\"", "",
            "old,192.0.2.3,,z,",
        ]
        let text = "\u{feff}" + rows.map { $0.replacing(",", with: mark) + "\r\n" }.joined()
        let mapping = try InventoryMapping.read(text: HostTableTests.map, file: "m.yaml")
        let mapped = MappedInventory(of: try HostTable.read(text: text, file: "t.csv", mapping: mapping), with: mapping)
        let inventory = try mapped.resolved(by: GeneratedFleetTests.answers)
        #expect(inventory.hosts.map(\.name) == ["db-1", "w1"])
        #expect(inventory.hosts[0].workingDirectory == "/srv/x" && inventory.hosts[0].address == "192.0.2.1")
        #expect(inventory.hosts[1].placements.map(\.layer) == ["data", "web"])
        #expect(mapped.dropped == ["rack": 1])
        #expect(mapped.remarks.contains("1 host in no layer, left out: old"))
    }

    @Test func aProblemIsReportedAtItsRowOrInTheMapping() throws {
        let mapping = try InventoryMapping.read(text: HostTableTests.plainMap, file: "m.yaml")
        let text = "name,address,port,group,team\na,192.0.2.1,0,dbs,x\nb,-x,22,web,y\nc,192.0.2.3,22,web\n"
        let mapped = MappedInventory(of: try HostTable.read(text: text, file: "t.csv", mapping: mapping), with: mapping)
        do {
            _ = try mapped.resolved(by: GeneratedFleetTests.answers)
            Issue.record("it was accepted")
        } catch {
            let places = error.problems.map { "\($0.file):\($0.line)" }
            #expect(places.sorted() == ["t.csv:2", "t.csv:3", "t.csv:4"], "\(error)")
        }
        let ownerless = HostTableTests.plainMap.replacing("[ana]", with: "[]")
        let wrong = try InventoryMapping.read(text: ownerless, file: "m.yaml")
        do {
            _ = try MappedInventory(
                of: try HostTable.read(text: "name,group\na,web\nb,dbs\n", file: "t.csv", mapping: wrong), with: wrong
            )
            .resolved(by: GeneratedFleetTests.answers)
            Issue.record("it was accepted")
        } catch {
            #expect(
                error.problems.contains {
                    $0.file == "m.yaml" && $0.line == 6 && $0.message == "layer data has no owner"
                }, "\(error)")
        }
    }

    @Test func aTableThatCanNotBeReadIsRefusedWithItsRows() {
        #expect(problems("") == ["t.csv:1: the table is empty; begin with a row of column names"])
        #expect(
            problems("a,b\n1,2\n").first?.hasPrefix("t.csv:1: no column is the name of a host; name one 'name'") == true
        )
        #expect(
            problems("name,x\n,1\na,1,2\nb,\"c\n") == [
                "t.csv:2: the row names no host; name it, or remove the row",
                "t.csv:3: the row has more cells than there are columns; put quotation marks around cells with separators",
                "t.csv:4: a quotation mark is not closed; close it",
            ])
    }

    @Test func aMappingsOwnMistakesAreReportedAtOnce() {
        let text =
            "version: 1\nlayer: []\nlayers:\n  - {name: a, owners: [o], group: [x]}\n  - {name: b, owners: [o], groups: x}\nnames: [a]\n"
        do {
            _ = try InventoryMapping.read(text: text, file: "m")
            Issue.record("it was accepted")
        } catch {
            #expect(
                error.problems.map { "\($0.line) \($0.message)" } == [
                    "2 the mapping has no key 'layer'", "4 a layer has no key 'group'",
                    "5 groups is not a list of names", "6 names is not a mapping",
                ])
        }
    }

    @Test func aGroupThatIsNotThereIsReported() throws {
        let mapping = try InventoryMapping.read(
            text: HostTableTests.plainMap + "\ngroups: {nil: {user: x}}\n", file: "m.yaml")
        let table = try HostTable.read(text: "name,group,team\na,dbs,x\n", file: "t.csv", mapping: mapping)
        let error = #expect(throws: FileProblems.self) {
            try MappedInventory(of: table, with: mapping).resolved(by: GeneratedFleetTests.answers)
        }
        let messages = error?.problems.filter { $0.file == "m.yaml" }.map { "\($0.line) \($0.message)" }
        #expect(messages == ["7 t.csv has no group 'web'", "7 layer web has no host", "9 t.csv has no group 'nil'"])
    }

    @Test func aColumnThatTheTableDoesNotHaveIsReportedInTheMapping() throws {
        let map = HostTableTests.map.replacing("Rolle: group", with: "Role: group, Colour: var:colour")
        let mapping = try InventoryMapping.read(text: map, file: "m.yaml")
        let error = #expect(throws: FileProblems.self) {
            try HostTable.read(text: "Rechner;Rolle\na;dbs\n", file: "t.csv", mapping: mapping)
        }
        #expect(
            error?.problems.map { "\($0)" } == [
                "m.yaml:3: the table has no column 'Colour'; its columns are: Rechner, Rolle",
                "m.yaml:3: the table has no column 'Role'; did you mean 'Rolle'? its columns are: Rechner, Rolle",
            ])
        let wide = (1...200).map { "column-\($0)" }.joined(separator: ",") + ",Rechner,Rolle\n"
        let listed = #expect(throws: FileProblems.self) {
            try HostTable.read(text: wide, file: "t.csv", mapping: mapping)
        }
        #expect(listed?.problems.count == 2)
        #expect(listed?.problems.allSatisfy { $0.remedy.hasSuffix(", column-100, ...") } == true)
        let untold = #expect(throws: FileProblems.self) {
            try InventoryMapping.read(text: "version: 1\ncolumns:\n  a: name\n  b: [c]\n", file: "m")
        }
        #expect(
            untold?.problems.map { "\($0)" } == ["m:4: the key for the column b is not a text; write 'COLUMN: KEY'"])
    }
}

/// The hosts of an ssh_config.
struct SSHConfigListTests {
    /// Reads a text with what its words of `Include` stand for.
    private func read(
        _ text: String, _ files: [String: [String]] = [:], _ texts: @escaping (String) throws -> String? = { _ in nil }
    ) throws(FileProblems) -> ForeignInventory {
        try SSHConfigList.read(text: text, file: "config") {
            files[$0] ?? [$0]
        } included: {
            try texts($0)
        }
    }

    private func problems(
        _ text: String, _ files: [String: [String]] = [:], _ texts: @escaping (String) throws -> String?
    ) -> [String] {
        do {
            _ = try read(text, files, texts)
            return []
        } catch { return error.problems.map { "\($0)" } }
    }

    @Test func hostsOfAnSSHConfigAreThoseWithoutAPattern() throws {
        let files = ["one": "Host \"b 1\" c # x\nHost !d *.e\n", "two": "host=f\nInclude one\n"]
        let config = "Include=two gone\nHost *\n  User x\n\tHost a g*\nMatch host z\nHost a\n"
        let inventory = try read(config) { files[$0] }
        #expect(inventory.hosts.map(\.name) == ["f", "b 1", "c", "a"])
        #expect(inventory.hosts.map(\.line) == [0, 0, 0, 4])
        #expect(
            inventory.hosts.map(\.groups) == [["two", "all"], ["one", "all"], ["one", "all"], ["config", "all"]])
        #expect(problems("Host *\n") { _ in nil }.count == 1)
    }

    @Test func includedFilesHaveALimitAndAreCountedBeforeTheyAreRead() throws {
        let names = (1...SSHConfigList.files).map { "conf/\($0)" }
        var read: [String] = []
        func text(_ name: String) -> String {
            read.append(name)
            return "Host \(name)\n"
        }
        let whole = try self.read("Host a\nInclude *\n", ["*": names]) { text($0) }
        #expect(whole.hosts.count == 1 + SSHConfigList.files && read == names)
        read = []
        let more = ["*": names, "more": ["over", "above"]]
        #expect(
            problems("Host a\nInclude *\nInclude more\nInclude above\n", more) { text($0) } == [
                "config:3: more than 1000 files are included, and over would be the next; "
                    + "include fewer files; a pattern may stand for many"
            ])
        #expect(read == names)
    }

    @Test func filesAreIncludedAsDeepAsOpenSSHReadsThem() throws {
        let chain = { (name: String) in Int(name).map { "Host h\($0)\n" + ($0 < 16 ? "Include \($0 + 1)\n" : "") } }
        #expect(try read("Include 1\n", [:], chain).hosts.map(\.name) == (1...16).map { "h\($0)" })
        #expect(
            problems("Host a\nInclude loop\n") { _ in "\nInclude loop loop\n" } == [
                "loop:2: loop is included more than 16 files deep; "
                    + "look for files that include each other; OpenSSH reads no deeper either"
            ])
    }

    @Test func anIncludedFileThatIsNotReadIsReported() {
        struct Refusal: Error, CustomStringConvertible { let description = "big is larger than the limit" }
        let problems = problems("Host a\nInclude small big\n") { name in
            if name == "big" { throw Refusal() }
            return "Host \(name)\n"
        }
        #expect(
            problems == [
                "config:2: an included file is not read: big is larger than the limit; correct it, or do not include it"
            ])
    }
}

extension HostTableTests {
    @Test func theJumpHostsOfSSHConfigGetEntries() throws {
        let config = "Host db-1\n  ProxyJump ops@edge:2200,gate\nHost gate\n  HostName 192.0.2.8\n"
        let mapping = try InventoryMapping.read(
            text: """
                version: 1
                layers: [{name: data, owners: [ana], hosts: [db-*]}]
                defaults: {workingDirectory: /srv, baseURL: "http://127.0.0.1:1"}
                """, file: "m")
        let mapped = MappedInventory(
            of: try SSHConfigList.read(text: config, file: "config", paths: { _ in [] }, included: { _ in nil }),
            with: mapping)
        #expect(mapped.following(GeneratedFleetTests.answers).map(\.remarks) == nil)
        var answers = GeneratedFleetTests.answers
        answers.hosts = ["db-1": SSHConfigAnswer("user me\nproxyjump ops@edge:2200,gate\n")]
        let led = try #require(mapped.following(answers))
        answers.hosts["gate"] = SSHConfigAnswer("user me\nhostname 192.0.2.8\n")
        let inventory = try led.resolved(by: answers)
        #expect(inventory.hosts.map(\.name) == ["db-1", "gate", "edge"])
        #expect(inventory.hosts.map(\.jump) == ["gate", "edge", nil])
        #expect(
            inventory.hosts[1].address == "192.0.2.8" && inventory.hosts[2].user == "ops"
                && inventory.hosts[2].port == 2200)
    }
}
