import FileReading
import Foundation
import Inventory
import Testing
import UpgradeDomain

/// Tags, URLs and addresses that an inventory file may not have.
struct TagTests {
    private func problems(_ host: String, _ defaults: String = "") -> [String] {
        let text = """
            version: 1
            defaults: {user: deploy, workingDirectory: /srv\(defaults)}
            layers: [{name: app, owners: [ops]}]
            hosts:
              - {name: a, layers: [app], \(host)}
            """
        do {
            _ = try InventoryFile.read(text: text, file: "f").resolved(by: Examples.silence)
            return []
        } catch { return error.problems.map { "\($0.line) \($0.message); \($0.remedy)" } }
    }

    @Test(arguments: [
        ("variables: {x: !vault abc}", "!vault"), ("variables: {x: !!binary aGk=}", "!!binary"),
        ("variables: {x: !!python/object a}", "!!python/object"), ("variables: {x: !foo a}", "!foo"),
        ("silenceSeconds: !!float 60", "!!float"), ("labels: !!set {a: b}", "!!set"), ("labels: {!k a: b}", "!k"),
        ("variables: {x: !foo \"a\"}", "!foo"), ("layers: !!x [app]", "!!x"),
    ])
    func aTagIsRefusedAtItsLine(_ value: String, _ tag: String) {
        let found = problems(value.hasPrefix("layers") ? "address: a" : value)
        if value.hasPrefix("layers") {
            let text = "version: 1\nlayers: !!x []\n"
            #expect(Examples.problems(inventory: text).map(\.message) == ["the tag !!x is not supported"])
        } else {
            #expect(found.count == 1 && found[0].hasPrefix("5 the tag \(tag) is not supported; "), "\(found)")
        }
    }

    @Test func aVaultValueIsNotForThisFileAndMarksInTextsAreNoTags() throws {
        #expect(problems("variables: {x: !vault a}")[0].contains("a secret does not belong in this file"))
        #expect(problems("variables: {x: \"!vault\", y: 'a ! b', \"!z\": c}") == [])
        let plan = try Examples.problems(plan: "version: 1\nname: !foo x\n")
        #expect(plan.map(\.message) == ["the tag !foo is not supported"])
    }

    @Test(arguments: [
        "http://u:p@x", "http://x?q", "http://x/a#b", "http://x:99999", "http://x:0", "http://x:",
        "http://fd00::1:8080", "http://x y", "ftp://x",
    ])
    func aBaseURLThatIsNoServiceIsRefused(_ url: String) {
        let written = problems("baseURL: \"\(url)\"")
        #expect(written.count == 1 && written[0].hasPrefix("5 baseURL '\(url)' is not valid: it "), "\(written)")
        let filled = problems("variables: {u: \"\(url)\"}", ", baseURL: \"${var.u}\"")
        #expect(
            filled.count == 1 && filled[0].hasPrefix("5 baseURL '\(url)' of host a is not valid: it "), "\(filled)")
    }

    @Test func anIPv6AddressIsInBracketsInAURL() throws {
        let text = """
            version: 1
            defaults: {user: deploy, workingDirectory: /srv, baseURL: "http://${address}:8080"}
            layers: [{name: app, owners: [ops]}]
            hosts:
              - {name: a, address: "fd00::1", layers: [app]}
              - {name: b, address: "fd00::2", layers: [app], baseURL: "http://[${address}]:1"}
              - {name: c, address: "10.0.0.3", layers: [app]}
            """
        let inventory = try InventoryFile.read(text: text, file: "f").resolved(by: Examples.silence)
        #expect(
            inventory.hosts.map { $0.baseURL(in: "app") } == [
                "http://[fd00::1]:8080", "http://[fd00::2]:1", "http://10.0.0.3:8080",
            ])
    }

    @Test func whatIsWrittenEmptyIsNotAbsent() {
        #expect(problems("address: \"\"").map { $0.contains("address is empty") } == [true])
        #expect(problems("identityFile: \"\"").map { $0.contains("identityFile is empty") } == [true])
    }

    @Test func aLoopOfJumpHostsIsNamedAndALongPathIsNoLoop() {
        #expect(problems("jump: a").map { $0.contains("host a jumps through a, which is a loop") } == [true])
        let chain = (1...6).map {
            "  - {name: j\($0), address: 10.0.0.\($0), jump: \($0 == 6 ? "none" : "j\($0 + 1)")}"
        }
        let text = """
            version: 1
            layers: [{name: app, owners: [ops]}]
            hosts:
              - {name: a, layers: [app], workingDirectory: /srv, jump: j1}
            \(chain.joined(separator: "\n"))
            """
        #expect(
            Examples.problems(inventory: text).map(\.message) == [
                "host a is behind more than 4 hosts", "host j1 is behind more than 4 hosts",
            ])
    }

    // MARK: What an import says of a change

    private func inventory(_ hosts: [(String, String)]) -> FleetInventory {
        FleetInventory(
            layers: [InventoryLayer(name: "app", owners: ["ops"])],
            hosts: hosts.map { name, value in
                Host(
                    name: HostName(name), address: name, user: "u", workingDirectory: "/srv", variables: ["x": value],
                    placements: [HostPlacement(layer: "app")])
            })
    }

    @Test func anotherOrderOfHostsIsAChange() {
        let old = inventory([("a", "1"), ("b", "1"), ("c", "1")])
        let moved = InventoryDifference(from: old, to: inventory([("c", "1"), ("a", "1"), ("b", "1")]))
        #expect(moved.changes == ["order: the hosts are in another order: c, a, b"])
        let fewer = InventoryDifference(from: old, to: inventory([("a", "1"), ("n", "1"), ("c", "1")]))
        #expect(fewer.changes == ["host n: added", "host b: removed"])
    }

    @Test(arguments: [
        ("a\tb", "a\\u{9}b", #"variables "x=a\u{9}b" -> "x=a\\u{9}b""#),
        ("a\u{a0}b", "a\u{2003}b", #"variables "x=a\u{a0}b" -> "x=a\u{2003}b""#),
        ("\u{e9}", "e\u{301}", #"variables "x=\u{e9}" -> "x=e\u{301}""#), ("1", "2", "variables x=1 -> x=2"),
        ("1 y=2", "1", #"variables x="1 y=2" -> x=1"#),
    ])
    func twoValuesThatLookAlikeAreTold(_ before: String, _ after: String, _ words: String) {
        let difference = InventoryDifference(from: inventory([("a", before)]), to: inventory([("a", after)]))
        #expect(difference.changes == ["host a: \(words)"])
    }

    @Test func aKeyThatIsListedTwiceIsOne() {
        let found = Examples.problems(inventory: "version: 1\nversion: 1\n")
        #expect(found.map { $0.message.contains("the key version is listed twice") } == [true])
    }
}
