import Testing
import UpgradeDomain

/// Texts in which the run's id is left open, as owners sign them.
struct OpenTextTests {
    private static let layer = PlanLayer(
        name: "core", version: VersionChange(from: "1", to: "2"), components: [], steps: [],
        rollback: RollbackPosture(command: nil, boundary: .oneWay), batches: [], soakSeconds: 0, sampleSeconds: 1,
        healthyWithinSeconds: 1, progressDeadlineSeconds: 1, failedWhen: [])

    private func values(_ variables: [String: String], run: RunID?) -> PlaceholderValues {
        let plan = Plan(
            name: "p", version: OpenTextTests.layer.version, changeClass: .minor, reviews: [], evidence: [],
            materialization: ScriptCommand(arguments: ["x"], timeoutSeconds: 1), guardrails: [],
            representativePath: Surface(
                name: "s", source: .http(HTTPSource(url: "u", timeoutSeconds: 1)), reader: Reader(shape: .result)),
            layers: [OpenTextTests.layer])
        let host = Host(
            name: "core-1", address: "192.0.2.1", user: "deploy", workingDirectory: "/srv", variables: variables,
            placements: [HostPlacement(layer: "core")])
        return PlaceholderValues(host: host, layer: OpenTextTests.layer, of: plan, run: run)
    }

    @Test(arguments: [
        ("a ${run} b", "a ${run} b"), ("$${run}", "$${run}"), ("$$${run}", "$$$${run}"), ("$HOME {x}", "$HOME {x}"),
        ("${host}-${run}", "core-1-${run}"), ("${var.dollar}${run}", "$$${run}"), ("${var.dollar}{run}", "$${run}"),
        ("${var.run}", "$${run}"), ("${unknown}", "$${unknown}"), ("${", "$${"), ("$", "$"), ("$${run", "$${run"),
    ])
    func onlyTheRunIsLeftOpenAndNothingElseLooksLikeIt(text: String, open: String) {
        let variables = ["dollar": "$", "run": "${run}"]
        #expect(values(variables, run: nil).expand(text) == open)
        #expect(OpenText.filled(open, run: "r-1") == values(variables, run: "r-1").expand(text))
        #expect(
            values(variables, run: nil).unknownNames(in: text) == values(variables, run: "r").unknownNames(in: text))
    }

    /// Whatever a text and its variables are made of, what is signed and filled in is what is sent.
    @Test func aRunFilledInGivesWhatIsSent() {
        let pieces = ["$", "$", "{", "}", "run", "${run}", "$${", "${var.a}", "${var.b}", "x", "${", "é", "\u{301}"]
        var random = SplitMix(seed: 23)
        for _ in 0..<20_000 {
            func text(_ pieces: [String]) -> String {
                (0..<Int.random(in: 0...8, using: &random)).map { _ in
                    pieces[Int.random(in: pieces.indices, using: &random)]
                }.joined()
            }
            let variables = ["a": text(["$", "{", "run}", "${run}", "$$"]), "b": text(["$", "${run}", "}"])]
            let written = text(pieces)
            let open = values(variables, run: nil).expand(written)
            for run in ["r-1", "${run}", "$"] as [RunID] {
                let sent = values(variables, run: run).expand(written)
                #expect(
                    OpenText.filled(open, run: run).map { Array($0.utf8) } == Array(sent.utf8),
                    "\(written) with \(variables) is signed as \(open)")
            }
        }
    }

    @Test(arguments: ["${host}", "a ${", "${runs}", "$$$${x}${"])
    func aTextOfAnotherFormIsNotFilled(text: String) { #expect(OpenText.filled(text, run: "r") == nil) }
}

/// SplitMix64.
private struct SplitMix: RandomNumberGenerator {
    var seed: UInt64

    mutating func next() -> UInt64 {
        seed &+= 0x9e37_79b9_7f4a_7c15
        var mixed = seed
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
