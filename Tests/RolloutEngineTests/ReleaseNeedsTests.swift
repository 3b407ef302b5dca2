import RolloutEngine
import Testing
import UpgradeDomain

/// What preflight asks about a release, and what it says of it.
struct ReleaseNeedsTests {
    private func layer(_ name: LayerName, _ files: [String: Digest]?) -> PlanLayer {
        PlanLayer(
            name: name, version: VersionChange(from: "1", to: "2"), components: [], steps: [],
            rollback: RollbackPosture(command: nil, boundary: .oneWay), batches: [], soakSeconds: 0, sampleSeconds: 1,
            healthyWithinSeconds: 1, progressDeadlineSeconds: 1, failedWhen: [],
            release: files.map { ReleaseManifest(files: $0) })
    }

    private func needs(_ layers: [PlanLayer], own directory: String? = nil) -> [PreflightNeeds] {
        let plan = Plan(
            name: "p", version: VersionChange(from: "1", to: "2"), changeClass: .minor, reviews: [], evidence: [],
            materialization: ScriptCommand(arguments: ["x"], timeoutSeconds: 1), guardrails: [],
            representativePath: Surface(
                name: "s", source: .http(HTTPSource(url: "u", timeoutSeconds: 1)), reader: Reader(shape: .result)),
            layers: layers)
        let host = Host(
            name: "h", address: "192.0.2.1", user: "deploy", workingDirectory: "/srv",
            placements: layers.enumerated().map {
                HostPlacement(layer: $1.name, workingDirectory: $0 == 0 ? nil : directory)
            })
        return PreflightNeeds.all(of: host, plan, layers, run: "r")
    }

    private func artifact(_ path: String, _ digest: Digest) -> RollbackArtifact {
        RollbackArtifact(path: path, sha256: digest)
    }

    @Test func theFilesOfLayersThatShareACheckoutAreAskedOnce() {
        let (one, two) = (layer("a", ["x": "1", "b${host}": "2"]), layer("b", ["x": "1", "y": "3"]))
        let shared = needs([one, two, layer("c", nil)])
        // Names are those of files, without placeholders.
        #expect(shared.map(\.release) == [[artifact("b${host}", "2"), artifact("x", "1"), artifact("y", "3")]])
        #expect(shared[0].requires.isEmpty)
        let apart = needs([one, two], own: "/opt")
        #expect(apart.map(\.workingDirectory) == ["/srv", "/opt"])
        #expect(apart.map { $0.release.map(\.path) } == [["b${host}", "x"], ["x", "y"]])
        // Another content of the same path can not be there as well, and is said.
        #expect(needs([one, layer("b", ["x": "9"])])[0].release.map(\.path) == ["b${host}", "x", "x"])
    }

    private func facts(_ differences: [String], rollback: [String] = []) -> PreflightFacts {
        PreflightFacts(
            agent: "a", bootID: "b", hostTime: WallTime(clamping: 0), coordinatorTime: WallTime(clamping: 0),
            freeDiskMebibytes: 99, missingScripts: [], missingPaths: rollback, releaseDifferences: differences)
    }

    @Test func aDifferentReleaseIsNamedApartFromWhatARollbackNeeds() {
        let found = facts(["bin/api is aa, not bb"], rollback: ["old"]).problems(minimumFreeDiskMebibytes: 1)
        #expect(
            found == [
                PreflightProblem(code: .rollbackPrerequisiteMissing, detail: "a rollback would need old"),
                PreflightProblem(
                    code: .releaseMismatch, detail: "not what the release manifest says: bin/api is aa, not bb"),
            ])
        let many = facts((1...4_096).map { "f\($0) is not there" }).problems(minimumFreeDiskMebibytes: 1)
        #expect(
            many.map(\.detail) == [
                "not what the release manifest says: f1 is not there; f2 is not there; f3 is not there; f4 is not there; "
                    + "f5 is not there; and 4091 more"
            ])
        var both = facts(["x is not there"]).placed(in: "/srv")
        both.add(facts(["x is not there"]).placed(in: "/opt"))
        #expect(both.releaseDifferences == ["/srv: x is not there", "/opt: x is not there"])
        #expect(HoldCode.releaseMismatch.failureClass == .refused)
    }
}
