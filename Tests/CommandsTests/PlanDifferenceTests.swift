import ContentDigest
import RunViews
import Testing
import UpgradeDomain

struct PlanDifferenceTests {
    private func plan(_ change: (inout Plan) -> Void = { _ in }) -> Plan {
        let command = ScriptCommand(arguments: ["bash", "./redeploy.sh", "--to", "${to}"], timeoutSeconds: 600)
        func layer(_ name: LayerName) -> PlanLayer {
            PlanLayer(
                name: name, version: VersionChange(from: "1", to: "2"), components: [],
                steps: [Step(name: "redeploy", command: command)],
                rollback: RollbackPosture(command: command, boundary: .untilFinalize),
                batches: [.count(1), .percent(100)],
                maxInFlight: 1, soakSeconds: 30, sampleSeconds: 5, healthyWithinSeconds: 60,
                progressDeadlineSeconds: 600,
                failedWhen: [])
        }
        var plan = Plan(
            name: "up-2", version: VersionChange(from: "1", to: "2"), changeClass: .minor,
            reviews: [Review(title: "notes", reference: "OPS-1")],
            evidence: [
                Surface(
                    name: "ready", source: .http(HTTPSource(url: "${baseURL}/ready", timeoutSeconds: 5)),
                    reader: Reader(shape: .result))
            ], materialization: command, guardrails: [command],
            representativePath: Surface(
                name: "order", source: .http(HTTPSource(url: "${baseURL}/order", timeoutSeconds: 5)),
                reader: Reader(shape: .result)), layers: [layer("data"), layer("core")])
        change(&plan)
        return plan
    }

    private func changes(_ change: (inout Plan) -> Void) throws -> [String] {
        try PlanDifference(from: plan(), to: plan(change)).changes.map {
            "\($0.place): \($0.before ?? "nothing") -> \($0.after ?? "nothing")"
        }
    }

    @Test func eachDifferenceIsNamedAsAPlanFileHasIt() throws {
        #expect(try changes { _ in } == [])
        #expect(
            try changes {
                $0.name = "up-3"
                $0.version = VersionChange(from: "2", to: "3")
                $0.evidence[0].source = .http(HTTPSource(url: "${baseURL}/live", timeoutSeconds: 5))
                $0.layers[1].soakSeconds = 90
                $0.layers[1].steps[0].command.arguments = ["bash", "./go.sh", "a b"]
            } == [
                "name: up-2 -> up-3", "version: 1 to 2 -> 2 to 3",
                "evidence ready, http, url: ${baseURL}/ready -> ${baseURL}/live",
                "layer core, soakSeconds: 30 -> 90",
                "layer core, step redeploy, run: bash ./redeploy.sh --to '${to}' -> bash ./go.sh 'a b'",
            ])
    }

    @Test func whatIsAddedRemovedOrMovedIsNamed() throws {
        #expect(
            try changes { $0.layers[0].rollback = RollbackPosture(command: nil, boundary: .oneWay) } == [
                "layer data, rollback, boundary: untilFinalize -> oneWay",
                "layer data, rollback, run: bash ./redeploy.sh --to '${to}' -> nothing",
                "layer data, rollback, timeoutSeconds: 600 -> nothing",
            ])
        let added = try changes {
            $0.layers[0].steps.insert(
                Step(name: "migrate", command: ScriptCommand(arguments: ["./m.sh"], timeoutSeconds: 9)), at: 0)
        }
        #expect(added.contains("layer data, step migrate: nothing -> added"))
        #expect(added.contains("layer data, step migrate, run: nothing -> ./m.sh"))
        #expect(try changes { $0.layers[0].steps = [] } == ["layer data, step redeploy: removed -> nothing"])
        // The second of a name is compared with the second, and a variable may be called as a part of a plan is.
        let twice = plan {
            $0.reviews = [Review(title: "T", reference: "1"), Review(title: "T", reference: "2")]
            $0.guardrails[0].environment = ["source": "a"]
        }
        var other = twice
        other.reviews[1].reference = "3"
        other.guardrails[0].environment = ["source": "b"]
        #expect(
            try PlanDifference(from: twice, to: other).changes.map(\.place)
                == ["review T (2), reference", "guardrail 1, environment, source"])
        #expect(try changes { $0.layers.swapAt(0, 1) } == ["layers, order: data, core -> core, data"])
    }

    /// A new release changes most of its files, so that only a few are named one by one.
    @Test func aReleaseAndItsHoldPointsAreCompared() throws {
        let (a, b) = (Digest("sha256:" + String(repeating: "a", count: 64)), Digest("sha256:bb"))
        func digest(_ files: [String: Digest]) -> Digest { ReleaseManifest(files: files).digest }
        let old = plan { $0.layers[0].release = ReleaseManifest(files: ["source": a, "bin/api": a]) }
        let new = plan {
            $0.layers[0].release = ReleaseManifest(files: ["source": b, "lib": a], signatures: ["S"])
            $0.holdPoints = [.run, .batch(layer: "core", index: 1)]
        }
        let changes = try PlanDifference(from: old, to: new).changes.map {
            "\($0.place): \($0.before ?? "nothing") -> \($0.after ?? "nothing")"
        }
        #expect(
            changes == [
                "holdPoints: nothing -> run, core/2",
                "layer data, release, files: 2 files, \(digest(["source": a, "bin/api": a])) -> "
                    + "2 files, \(digest(["source": b, "lib": a]))",
                "layer data, release, file bin/api: \(a) -> nothing", "layer data, release, file lib: nothing -> \(a)",
                "layer data, release, file source: \(a) -> \(b)",
                "layer data, release, signatures: nothing -> \(Digest.sha256(of: Array("S".utf8)))",
            ])
        let many = Dictionary(uniqueKeysWithValues: (0..<21).map { ("f\($0)", a) })
        #expect(
            try self.changes { $0.layers[0].release = ReleaseManifest(files: many) } == [
                "layer data, release, files: nothing -> 21 files, \(digest(many))"
            ])
        let before = plan { $0.layers[0].release = ReleaseManifest(files: many) }
        let after = plan { $0.layers[0].release = ReleaseManifest(files: many.mapValues { _ in b }) }
        #expect(try PlanDifference(from: before, to: after).changes.map(\.place) == ["layer data, release, files"])
    }
}
