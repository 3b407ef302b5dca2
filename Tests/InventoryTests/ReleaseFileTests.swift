import ContentDigest
import FileReading
import Inventory
import PlanFiles
import Testing
import UpgradeDomain

/// Release manifests and hold points of a plan file.
struct ReleaseFileTests {
    private static let a = String(repeating: "a", count: 64)
    private static let signature = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"
    private static let files = [
        "releases/1.5.0.sha256": "\(a)  bin/api\n\(a)  lib/core.so\n", "unsorted": "\(a) *lib/core.so\n\(a)  bin/api\n",
        "proxy-2.1-2.2": "\(a)  bin/proxy\n", "broken": "\(a)  bin/api\n\(a)  ../x\n", "sig": signature,
        "none": "hello\n",
    ]

    private struct Missing: Error, CustomStringConvertible {
        var description: String
    }

    /// The example, with lines of its own for the defaults of layers and behind the exclusions.
    private func plan(defaults: String = "", edge: String = "", root: String = "") throws(FileProblems) -> Plan {
        let example = (try? Examples.text("examples/plan.yaml")) ?? ""
        let text =
            example.replacing("  soakSeconds: 60\n", with: "  soakSeconds: 60\n\(defaults)")
            .replacing("  - name: edge\n", with: "  - name: edge\n\(edge)") + root
        let inventory = (try? Examples.inventory()) ?? FleetInventory(layers: [], hosts: [])
        return try PlanFile.read(
            text: text, file: "plan.yaml", inventory: inventory, at: Examples.now,
            loading: { path in
                guard let text = ReleaseFileTests.files[path] else {
                    throw Missing(description: "\(path) can not be read")
                }
                return text
            })
    }

    private func problems(_ read: () throws(FileProblems) -> Plan) -> [String] {
        do throws(FileProblems) {
            _ = try read()
            return []
        } catch {
            return error.problems.map { "\($0.line): \($0.message)" }
        }
    }

    private func release(_ value: String) -> [String] {
        problems { () throws(FileProblems) in try plan(defaults: "  release: \(value)\n") }
    }

    // MARK: Releases

    @Test func eachLayerHasTheManifestOfItsVersions() throws {
        let plan = try plan(
            defaults: "  release: \"releases/${to}.sha256\"\n", edge: "    release: {manifest: unsorted}\n")
        let wanted = [
            "bin/api": Digest("sha256:\(ReleaseFileTests.a)"), "lib/core.so": Digest("sha256:\(ReleaseFileTests.a)"),
        ]
        #expect(plan.layers.map { $0.release?.files } == [wanted, wanted, wanted])
        #expect(plan.layers.allSatisfy { $0.release?.signatures == [] })
        let edge = try self.plan(edge: "    release: \"proxy-${from}-${to}\"\n    from: \"2.1\"\n    to: \"2.2\"\n")
        #expect(edge.layers.map { $0.release?.paths } == [nil, nil, ["bin/proxy"]])
        let signed = try self.plan(
            defaults: "  release: {manifest: \"releases/${to}.sha256\", signatures: [sig]}\n")
        #expect(signed.layers[0].release?.signatures == [ReleaseFileTests.signature])
        #expect(try Digest.canonical(of: signed) != Digest.canonical(of: plan))
    }

    @Test func whatIsWrongWithAManifestIsSaidWithBothLines() throws {
        let text = try Examples.text("examples/plan.yaml")
        let line = text.line(of: "  soakSeconds: 60") + 1
        #expect(release("broken") == ["\(line): broken, line 2: '../x' may lie outside the working directory"])
        #expect(release("nowhere") == ["\(line): nowhere can not be read"])
        #expect(release("none") == ["\(line): none, line 1: it is not in sha256sum's format"])
        #expect(
            release("{manifest: unsorted, signatures: [sig]}")
                == ["\(line): unsorted is signed, but not written as it is signed"])
        #expect(
            release("{manifest: \"releases/${to}.sha256\", signatures: [none, nowhere]}")
                == ["\(line): none is not an SSH signature", "\(line): nowhere can not be read"])
        #expect(release("{signatures: [sig]}").contains { $0.hasSuffix("is missing the key 'manifest'") })
    }

    // MARK: Hold points

    private func holdPoints(_ value: String) throws(FileProblems) -> [HoldPoint]? {
        try plan(root: "holdPoints: \(value)\n").holdPoints
    }

    private func refused(_ value: String) -> [String] {
        problems { () throws(FileProblems) in try plan(root: "holdPoints: \(value)\n") }.map {
            String($0.drop { $0 != ":" }.dropFirst(2))
        }
    }

    @Test func holdPointsAreInPlanOrderHoweverTheyAreWritten() throws {
        let points: [HoldPoint] = [.run, .layer("data"), .batch(layer: "core", index: 0), .layer("edge")]
        #expect(try holdPoints("[edge, core/1, run, data]") == points)
        #expect(points.map(\.spelled) == ["run", "data", "core/1", "edge"])
        #expect(try plan().holdPoints == nil)
    }

    @Test func aHoldPointThatARunNeverReachesIsRefused() {
        #expect(refused("[core, core]") == ["hold point 'core' is listed twice"])
        #expect(refused("[cores]") == ["hold point 'cores' names no layer of the plan"])
        for text in ["core/0", "core/01", "core/-1", "core/x", "/1", "\"core/\"", "Core", "core/1/1", "core/1000001"] {
            let bare = text.replacing("\"", with: "")
            #expect(refused("[\(text)]") == ["'\(bare)' is not a hold point"], "\(text)")
        }
        #expect(refused("[data/1]") == [])
        #expect(
            refused("[data/2]")
                == ["a run never reaches the hold point 'data/2': layer data ends with batch 1"])
    }

    @Test func aLayerWithTheNameOfTheRunIsNoHoldPoint() throws {
        let example = try Examples.text("examples/plan.yaml")
        let inventory = try Examples.inventory(
            try Examples.text("examples/inventory.yaml").replacing("edge", with: "run"))
        let text = example.replacing("  - name: edge\n", with: "  - name: run\n")
        for point in ["run", "run/1"] {
            let found = problems { () throws(FileProblems) in
                try PlanFile.read(
                    text: text + "holdPoints: [\(point)]\n", file: "plan.yaml", inventory: inventory, at: Examples.now)
            }
            #expect(
                found.map { $0.hasSuffix("'\(point)' may mean the run, or the layer of that name") } == [true],
                "\(found)")
        }
    }

    /// The digest of a stored plan comes from its JSON.
    @Test func aPlanWithNeitherIsStoredAsBefore() throws {
        let text = String(decoding: try CanonicalJSON.encode(try plan()), as: UTF8.self)
        #expect(!text.contains("\"release\"") && !text.contains("\"holdPoints\""))
        let full = try plan(defaults: "  release: \"releases/${to}.sha256\"\n", root: "holdPoints: [run]\n")
        let bytes = try CanonicalJSON.encode(full)
        #expect(try CanonicalJSON.decode(Plan.self, from: bytes) == full)
    }
}
