import Approvals
import ContentDigest
import SafeText
import Testing
import UpgradeDomain

@testable import RolloutEngine

/// What may run on a host, as its owners sign it.
@Suite struct HostLeafTests {
    // MARK: What is signed is what is sent

    /// A leaf's text with the run filled in.
    private func sent(_ text: String, _ run: RunID) throws -> String {
        try #require(OpenText.filled(text, run: run), "\(text) is not open")
    }

    /// Whether a leaf has a command as the engine sends it.
    private func has(_ commands: [LeafCommand], _ command: ScriptCommand, in directory: String, _ run: RunID) throws
        -> Bool
    {
        let place =
            "/"
            + [directory, command.workingDirectory ?? ""].joined(separator: "/").split(separator: "/")
            .filter { $0 != "." }.joined(separator: "/")
        return try commands.contains { entry in
            try entry.arguments.map { try sent($0, run) } == command.arguments
                && sent(entry.directory, run) == place && entry.timeoutSeconds == command.timeoutSeconds
                && entry.environment.mapValues { try sent($0, run) } == command.environment
                && entry.script.map { try sent($0, run) } == command.script
        }
    }

    private func commands(_ placement: LeafPlacement) -> [LeafCommand] {
        let captures = [placement.evidence, placement.layerEvidence].compactMap { $0?.surfaces }.joined()
        return placement.steps.map(\.command) + placement.guardrails + placement.rollback.guardrails
            + [placement.rollback.command].compactMap(\.self) + captures.compactMap(\.command)
    }

    private func check(_ orders: [SurfaceOrder], _ capture: LeafCapture?, _ directory: String, _ run: RunID) throws {
        let capture = try #require(capture)
        #expect(try sent(capture.directory, run) == directory)
        #expect(capture.surfaces.map(\.name) == orders.map(\.surface.name))
        for (surface, order) in zip(capture.surfaces, orders) {
            #expect(surface.role == order.role)
            let fill: (String) -> String = { OpenText.filled($0, run: run) ?? "not open" }
            switch order.surface.source {
            case .command(let command):
                #expect(try has([surface.command].compactMap(\.self), command, in: directory, run), "\(order)")
            case .http(let http): #expect(surface.http?.mapTexts(fill) == http)
            case .runtime(let runtime): #expect(surface.runtime?.mapTexts(fill) == runtime)
            case .tcp(let tcp): #expect(surface.tcp?.mapTexts(fill) == tcp)
            case .unit(let unit): #expect(surface.unit?.mapTexts(fill) == unit)
            case .container(let container): #expect(surface.container?.mapTexts(fill) == container)
            }
        }
    }

    @Test(arguments: ["example", "lab", "rich"])
    func everyCommandThatTheEngineSendsIsInTheLeafOfItsHost(_ name: String) throws {
        let made =
            switch name {
            case "lab": try LeafCase.lab()
            case "rich": try LeafCase.rich()
            default: try LeafCase.example()
            }
        let definition = RunDefinition(
            run: "r-1", ledger: "l", plan: made.plan, planDigest: "p", hosts: made.hosts, hostsDigest: "h",
            approvals: [])
        let state = RolloutState(definition: definition, startedAt: WallTime(clamping: 0), hash: "h", at: .zero)
        var placements = 0
        for host in made.hosts {
            let leaf = try made.leaf(host.name)
            let own = state.placements(of: host.name)
            #expect(leaf.placements.map(\.layer) == own.map(\.layer))
            for (signed, placement) in zip(leaf.placements, own) {
                try check(operationsOf: placement, on: host, signed, state)
                placements += 1
            }
            for needs in state.preflightNeeds(of: host.name) {
                let all = leaf.placements.flatMap(commands)
                for command in needs.commands + needs.keeps.map(\.command) {
                    #expect(try has(all, command, in: needs.workingDirectory, "r-1"), "\(host.name): \(command)")
                }
            }
            try checkCaptures(of: host, leaf, state)
        }
        #expect(placements == state.orderedPlacements.count && placements > 2)
    }

    private func check(
        operationsOf placement: Placement, on host: Host, _ signed: LeafPlacement, _ state: RolloutState
    ) throws {
        let layer = try #require(state.plan.layer(placement.layer))
        func intent(_ action: OperationAction) -> OperationIntent {
            let id = OperationID(run: "r-1", placement: placement, action: action, attempt: 1)
            return OperationIntent(
                id: id, placement: placement, action: action, attempt: 1,
                boundary: .batch(layer: layer.name, index: 0), planDigest: "p", epoch: 1,
                revert: RevertIntent(of: id, withinSeconds: 5))
        }
        let place = host.workingDirectory(in: placement.layer)
        let steps = state.steps(of: layer, for: host.name)
        #expect(signed.steps.map(\.name) == steps.map(\.name))
        for (entry, step) in zip(signed.steps, steps) {
            let script = try #require(state.script(of: intent(.step(name: step.name))))
            #expect(try has([entry.command], script.command, in: place, "r-1"), "\(script.command)")
            #expect(signed.guardrails.count == script.guardrails.count)
            for (guardrail, own) in zip(script.guardrails, signed.guardrails) {
                #expect(try has([own], guardrail, in: place, "r-1"))
            }
            let revert = try #require(state.revertScript(of: intent(.step(name: step.name))))
            let rollback = try #require(state.script(of: intent(.rollback)))
            #expect(revert == rollback)
            #expect(try has([signed.rollback.command].compactMap(\.self), revert.command, in: place, "r-1"))
            #expect(signed.rollback.guardrails.count == revert.guardrails.count)
            for (guardrail, own) in zip(revert.guardrails, signed.rollback.guardrails) {
                #expect(try has([own], guardrail, in: place, "r-1"))
            }
        }
    }

    private func checkCaptures(of host: Host, _ leaf: HostLeaf, _ state: RolloutState) throws {
        for subject in state.plan.subjects(from: host) {
            let order = CaptureOrder(subject: subject, purpose: .baseline, host: host.name)
            let directory = subject.workingDirectory(on: host)
            let capture: LeafCapture? =
                switch subject {
                case .placement(let placement): leaf.placements.first { $0.layer == placement.layer }?.evidence
                case .layer(let layer): leaf.placements.first { $0.layer == layer }?.layerEvidence
                case .fleet: leaf.fleetEvidence
                }
            try check(state.surfaces(for: order), capture, directory, "r-1")
        }
        #expect((leaf.fleetEvidence != nil) == (state.fleetVantage == host.name))
    }

    // MARK: What a leaf has

    @Test func theRunStaysOpenAndTextThatOnlyLooksLikeItDoesNot() throws {
        let leaf = try LeafCase.rich().leaf("core-1")
        let step = try #require(leaf.placements.first { $0.layer == "core" }?.steps.first { $0.name == "redeploy" })
        #expect(step.command.arguments.suffix(2) == ["${run}", "$${run}"])
        let command = step.command
        #expect(command.environment == ["STAGE": "core"] && command.directory.hasSuffix("/scripts"))
    }

    @Test func aOnceStepIsInOneLeafOfItsLayer() throws {
        var made = try LeafCase.example()
        made.plan.layers[1].steps.insert(made.plan.layers[0].steps[0], at: 0)
        let steps = try made.hosts.compactMap { host in
            try made.leaf(host.name).placements.first { $0.layer == "core" }?.steps.map(\.name)
        }
        #expect(steps.count > 1 && steps[0] == ["backup", "redeploy"])
        #expect(steps.dropFirst().allSatisfy { $0 == ["redeploy"] })
    }

    @Test func theDigestsThatThePlanKnowsStandBesideTheCommands() throws {
        let made = try LeafCase.rich()
        let placement = try #require(try made.leaf("core-1").placements.first { $0.layer == "core" })
        let release = try #require(made.plan.layer("core")?.release)
        #expect(placement.release == release.digest)
        let step = try #require(placement.steps.first)
        #expect(step.command.files == ["./redeploy-host-stack.sh": Digest("sha256:\(LeafCase.digits)")])
        let carried = try #require(made.plan.files?.first)
        #expect(placement.guardrails[0].files == [carried.mark: carried.sha256])
        #expect(placement.guardrails[1].files == nil)
        #expect(placement.confirmWithinSeconds == 120)
    }

    @Test func whatReachesAHostIsNotInItsLeafAndWhatRunsThereIs() throws {
        let made = try LeafCase.example()
        let before = try made.leaves.digests()
        #expect(Set(before.values).count == before.count && before.count == made.hosts.count)
        func after(_ change: (inout Host) -> Void) throws -> [HostName: Digest] {
            var hosts = made.hosts
            let index = try #require(hosts.firstIndex { $0.name == "core-1" })
            change(&hosts[index])
            return try HostLeaves(of: made.plan, over: hosts).digests()
        }
        #expect(
            try after {
                $0.address = "203.0.113.9"
                $0.port = 2_200
                $0.labels = ["rack": "b"]
                $0.hostKeys = [HostKey(type: "ssh-ed25519", base64: "AAAA")]
                $0.jump = "bastion"
                $0.identityFile = "/k"
                $0.silenceSeconds = 9
                $0.variables["unused"] = "1"
            } == before)
        for change: (inout Host) -> Void in [
            { $0.user = "root" }, { $0.workingDirectory = "/opt" },
            { host in
                for index in host.placements.indices { host.placements[index].baseURL = "http://127.0.0.1:9" }
            },
        ] {
            let changed = try after(change)
            #expect(changed.filter { $0.value != before[$0.key] }.keys.map(\.rawValue) == ["core-1"])
        }
        // A command that uses the address holds it.
        var plan = made.plan
        plan.guardrails[0].arguments.append("${address}")
        var hosts = made.hosts
        hosts[hosts.count - 1].address = "203.0.113.9"
        let last = hosts[hosts.count - 1].name
        #expect(
            HostLeaves(of: plan, over: hosts).leaf(of: last)
                != HostLeaves(of: plan, over: made.hosts).leaf(of: last))
    }

    @Test func aHostThatIsAddedLeavesTheOtherLeavesAsTheyAre() throws {
        let made = try LeafCase.example()
        let before = try made.leaves.digests()
        var added = try #require(made.hosts.last)
        added.name = "zz-new"
        let after = try HostLeaves(of: made.plan, over: made.hosts + [added]).digests()
        #expect(after.filter { $0.key != "zz-new" } == before && after.count == before.count + 1)
        // In front of its layer it takes over the steps that run once.
        var first = try #require(made.hosts.first { $0.placement(in: "data") != nil })
        first.name = "aa-new"
        let front = try HostLeaves(of: made.plan, over: [first] + made.hosts).digests()
        #expect(front.filter { before[$0.key] != nil && before[$0.key] != $0.value }.count == 1)
    }

    @Test func aOneWayLayerHasNoRollback() throws {
        var made = try LeafCase.example()
        made.plan.layers[1].rollback.boundary = .oneWay
        let placement = try #require(try made.leaf("core-1").placements.first { $0.layer == "core" })
        #expect(placement.rollback.command == nil && placement.rollback.guardrails.isEmpty)
    }

    // MARK: Form

    @Test func itIsReadBackAsItWasAndItsDigestIsThatOfALeaf() throws {
        for host in try LeafCase.rich().hosts {
            let leaf = try LeafCase.rich().leaf(host.name)
            let bytes = try leaf.bytes()
            let read = try CanonicalJSON.decode(HostLeaf.self, from: bytes)
            #expect(read == leaf)
            #expect(try read.bytes() == bytes)
            #expect(try leaf.digest() == Digest.sha256(of: [0] + bytes))
        }
    }

    @Test func itIsShownInWords() throws {
        let lines = try LeafCase.rich().leaf("core-1").lines.map(\.written)
        for words in [
            "host       core-1, where everything runs as deploy", "  confirm    rolls back by itself",
            "  guardrail  sh lockflight-file:///", "with STAGE=core", "./redeploy-host-stack.sh is sha256:7777",
            "  for layer  peers: ./scripts/peers.sh", "${run} is the run's id",
        ] {
            #expect(lines.contains { $0.hasPrefix(words) || $0.contains(words) }, "\(words) in \(lines)")
        }
        #expect(!(try LeafCase.example().leaf("core-1").lines.contains { $0.written.contains("run's id") }))
    }

    @Test func eachHostOfALargeFleetHasALeafOfItsOwnAndAProof() throws {
        let made = try LeafCase.example()
        let last = try #require(made.hosts.last)
        let hosts = (0..<500).map { index in
            var host = last
            host.name = HostName("host-\(index)")
            return host
        }
        let digests = try HostLeaves(of: made.plan, over: hosts).digests()
        #expect(digests.count == 500 && Set(digests.values).count == 500)
        let tree = try #require(HostTree(digests))
        for host in hosts {
            let leaf = try #require(digests[host.name])
            #expect(tree.proof(of: host.name)?.verifies(leaf, root: tree.root) == true)
        }
    }
}
