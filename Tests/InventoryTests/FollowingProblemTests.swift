import FileReading
import Foundation
import Testing

@testable import Inventory

/// A refused entry still counts as present, so problems that only follow from it are not reported.
struct FollowingProblemTests {
    private static let inventory = """
        version: 1
        sshConfig: none
        defaults: {user: d, workingDirectory: /s, identityFile: /k, baseURL: "http://127.0.0.1:1"}
        groups: {blue: {port: 23}}
        layers: [{name: core, owners: [ana]}, {name: edge, owners: [ana]}]
        hosts:
          - {name: core-1, address: 10.0.0.1, layers: [core], jump: edge-1}
          - {name: edge-1, address: 10.0.0.2, layers: [edge], group: blue}

        """

    /// What is written instead, and the only problems that it causes.
    static let inventories: [(from: String, to: String, problems: [String])] = [
        ("name: core-1,", "name: core_1,", ["'core_1' is not a valid host name"]),
        ("name: edge-1,", "name: edge_1,", ["'edge_1' is not a valid host name"]),
        ("name: core-1,", "nmae: core-1,", ["the file.hosts[1] has no key 'nmae'"]),
        ("{name: core,", "{name: Co re,", ["'Co re' is not a valid layer name"]),
        ("owners: [ana]}, {", "owners: [\"a na\"]}, {", ["'a na' is not a valid owner name"]),
        ("owners: [ana]}, {", "owner: [ana]}, {", ["the file.layers[1] has no key 'owner'"]),
        ("layers: [core],", "layers: core,", ["the file.hosts[1].layers is not a list"]),
        ("layers: [core],", "layer: [core],", ["the file.hosts[1] has no key 'layer'"]),
        ("workingDirectory: /s", "workingDirectory: s", ["workingDirectory 's' is not absolute"]),
        ("workingDirectory: /s", "workingDirectry: /s", ["the file.defaults has no key 'workingDirectry'"]),
        (
            "\"http://127.0.0.1:1\"", "127.0.0.1",
            ["baseURL '127.0.0.1' is not valid: it does not begin with http:// or https://"]
        ),
        ("groups: {blue:", "groups: {Blue One:", ["'Blue One' is not a valid group name"]),
        ("hosts:\n", "host:\n", ["the file has no key 'host'"]),
        ("group: blue", "group: green", ["host edge-1 is in an unknown group 'green'"]),
        ("group: blue", "groop: blue", ["the file.hosts[2] has no key 'groop'"]),
        (
            "layers: [core],", "layers: {core: {baseUrl: \"http://127.0.0.1:2\"}},",
            ["the file.hosts[1].layers.core has no key 'baseUrl'"]
        ),
        ("[{name: core, owners: [ana]}, {name: edge, owners: [ana]}]", "[]", ["there are no layers"]),
        ("layers: [{", "layer: [{", ["the file has no key 'layer'"]),
    ]

    @Test(arguments: inventories.indices)
    func ofAnInventory(_ index: Int) {
        let (from, to, expected) = FollowingProblemTests.inventories[index]
        #expect(FollowingProblemTests.inventory.contains(from) && !expected.isEmpty)
        #expect(Examples.problems(inventory: FollowingProblemTests.inventory).isEmpty)
        let bad = FollowingProblemTests.inventory.replacing(from, with: to, maxReplacements: 1)
        #expect(Examples.problems(inventory: bad).map(\.message) == expected)
    }

    static let plans: [(from: String, to: String, problems: [String])] = [
        ("batches: [1, 25%, 100%]", "batches: [1, 0%, 100%]", ["'0%' is not a batch size"]),
        ("guardrails:", "guardrail:", ["the file has no key 'guardrail'"]),
        ("\nlayers:", "\nlayer:", ["the file has no key 'layer'"]),
        ("\nlayerDefaults:", "\nlayerDefault:", ["the file has no key 'layerDefault'"]),
        ("\nevidence:", "\nevidnce:", ["the file has no key 'evidnce'"]),
        ("\nfrom:", "\nfrm:", ["the file has no key 'frm'"]),
        (
            "    run: [bash, ./scripts/redeploy-host-stack.sh, --to, \"${from}\"]\n", "    run: ./back.sh\n",
            ["run is not a list"]
        ),
    ]

    @Test(arguments: plans.indices)
    func ofAPlan(_ index: Int) throws {
        let (from, to, expected) = FollowingProblemTests.plans[index]
        let good = try Examples.text("examples/plan.yaml")
        #expect(good.contains(from))
        let found = try Examples.problems(plan: good.replacing(from, with: to)).map(\.message)
        #expect(!found.isEmpty)
        #expect(found.allSatisfy { message in expected.contains { message.contains($0) } }, "\(found)")
        #expect(Set(found).count == found.count)
    }

    @Test func aListThatIsCutSaysHowManyAreLeft() {
        let hosts = (1...250).map { "  - {name: H_\($0), address: 10.0.0.1, layers: [core]}\n" }.joined()
        let text = "version: 1\nlayers: [{name: core, owners: [ana]}]\nhosts:\n" + hosts
        #expect(throws: FileProblems.self) {
            try InventoryFile.read(text: text, file: "f").resolved(by: Examples.silence)
        }
        do throws(FileProblems) {
            _ = try InventoryFile.read(text: text, file: "f").resolved(by: Examples.silence)
        } catch {
            #expect(error.problems.count == 100 && error.unlisted == 150)
            #expect(error.description.hasSuffix("\n150 more problems are not listed"))
        }
    }
}
