import ContentDigest
import FileReading
import Inventory
import PlanFiles
import Testing
import UpgradeDomain

/// A host with several stacks has a layer for each, and what a layer has of its own there.
struct SeveralStacksTests {
    private static let text = """
        version: 1
        defaults: {user: deploy, variables: {site: ams, role: none}}
        layers: [{name: data, owners: [ana]}, {name: shop, owners: [ana]}, {name: wiki, owners: [ana]}]
        hosts:
          - name: all-1.example.net
            layers:
              data: {workingDirectory: /srv/postgres}
              shop: {workingDirectory: "/srv/${layer}", baseURL: "http://127.0.0.1:8080", variables: {role: "shop"}}
              wiki: {workingDirectory: /srv/wiki, baseURL: "http://127.0.0.1:80${var.port}", variables: {port: 81}}
        """

    @Test func eachLayerHasItsOwnDirectoryVariablesAndURL() throws {
        let host = try Examples.inventory(SeveralStacksTests.text).hosts[0]
        #expect(host.workingDirectory == "")
        #expect(
            ["data", "shop", "wiki"].map { host.workingDirectory(in: $0) } == [
                "/srv/postgres", "/srv/shop", "/srv/wiki",
            ])
        #expect(host.baseURL(in: "data") == nil)
        #expect(host.baseURL(in: "wiki") == "http://127.0.0.1:8081")
        #expect(host.variables(in: "shop") == ["site": "ams", "role": "shop"])
        #expect(host.variables(in: "data") == ["site": "ams", "role": "none"])
    }

    @Test func aLayerWithoutADirectoryNeedsThatOfTheHost() throws {
        let bare = SeveralStacksTests.text.replacing("{workingDirectory: /srv/postgres}", with: "")
        #expect(
            Examples.problems(inventory: bare).map(\.message) == ["host all-1.example.net has no workingDirectory"])
        let shared = bare.replacing(
            "  - name: all-1.example.net", with: "  - name: all-1.example.net\n    workingDirectory: /srv")
        let host = try Examples.inventory(shared).hosts[0]
        #expect(host.workingDirectory(in: "data") == "/srv")
        #expect(host.workingDirectory(in: "wiki") == "/srv/wiki")
    }

    @Test(arguments: [
        ("/srv/postgres", "srv", "workingDirectory 'srv' is not absolute"),
        (
            "/srv/${layer}", "${layer}",
            "workingDirectory 'shop' of layer shop of host all-1.example.net is not absolute"
        ),
        ("/srv/${layer}", "/${var.nothing}", "'${var.nothing}' has no value on host all-1.example.net"),
        ("variables: {role: \"shop\"}", "labels: {}", "the file.hosts[1].layers.shop has no key 'labels'"),
        ("http://127.0.0.1:8080", "8080", "baseURL '8080' is not valid: it does not begin with http:// or https://"),
    ])
    func whatIsWrongInALayerIsSaid(_ from: String, _ to: String, _ message: String) {
        let text = SeveralStacksTests.text.replacing(from, with: to)
        #expect(text != SeveralStacksTests.text)
        #expect(Examples.problems(inventory: text).map(\.message) == [message])
    }

    /// Recorded inventories are compared by the digest of their JSON.
    @Test func aPlacementWithoutAnyOfThisIsStoredAsBefore() throws {
        let placement = HostPlacement(layer: "core", baseURL: "http://127.0.0.1:1")
        #expect(
            String(decoding: try CanonicalJSON.encode(placement), as: UTF8.self)
                == #"{"baseURL":"http://127.0.0.1:1","layer":"core"}"#)
    }

    @Test func aReimportNamesWhatChangedInALayer() throws {
        let old = try Examples.inventory(SeveralStacksTests.text)
        let changed = SeveralStacksTests.text.replacing("/srv/postgres", with: "/srv/db")
            .replacing("{role: \"shop\"}", with: "{role: \"front\"}")
        #expect(
            InventoryDifference(from: old, to: try Examples.inventory(changed)).changes == [
                "host all-1.example.net: data workingDirectory /srv/postgres -> /srv/db",
                "host all-1.example.net: shop variables role=shop -> role=front",
            ])
    }

    /// Without HTTP there is no baseURL; a plan that asks for one says so.
    @Test func aPlanThatUsesABaseURLThatIsNotThereIsRefused() throws {
        let text = try Examples.text("examples/inventory.yaml")
            .replacing(
                "  baseURL: http://127.0.0.1:8080           # the platform API as the host itself reaches it\n",
                with: "")
        let inventory = try Examples.inventory(text)
        #expect(inventory.hosts.contains { $0.baseURL(in: "data") == nil && $0.placement(in: "data") != nil })
        let problems = #expect(throws: FileProblems.self) {
            try PlanFile.read(
                text: try Examples.text("examples/plan.yaml"), file: "plan.yaml", inventory: inventory, at: Examples.now
            )
        }
        #expect(
            problems?.problems.contains {
                $0.message.hasPrefix("'${baseURL}' has no value on host data-1 and ")
                    && $0.message.hasSuffix(" more (in evidence[1].http.url)")
            } == true)
    }
}
