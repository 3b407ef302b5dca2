import Approvals
import OperatorCommands
import SigningKeys
import Testing
import UpgradeDomain

@testable import RolloutEngine

/// Runs that a policy rules: ana and ben own every layer, one of them suffices, dan is on call.
struct SignedRunTests {
    private static let start = WallTime(clamping: 1_000_000)
    private static let digest = Digest("sha256:" + String(repeating: "0", count: 64))
    private static let layers: [LayerName] = ["data", "core", "edge"]

    private static func policy() -> Policy {
        Policy(
            ledger: "l", version: 1, issuedAt: start,
            people: [
                "ana": PolicyPerson(keys: [SigningKey("ana").line], breakGlassKeys: [SigningKey("ana-glass").line]),
                "ben": PolicyPerson(keys: [SigningKey("ben").line]),
                "dan": PolicyPerson(keys: [SigningKey("dan").line]),
            ], signers: PolicyGroup(people: ["ana", "ben"], threshold: 2),
            layers: Dictionary(uniqueKeysWithValues: layers.map { ($0, PolicyLayer(owners: ["ana", "ben"])) }),
            onCall: PolicyGroup(people: ["dan"]))
    }

    private static func signed(_ text: String, _ purpose: Purpose, by keys: [String]) throws -> SignedStatement {
        SignedStatement(
            text: text, signatures: try keys.map { try SigningKey($0).sign(text, namespace: purpose.namespace) })
    }

    private static func approval(
        of definition: RunDefinition, _ change: (inout Statement) -> Void = { _ in }
    ) throws -> SignedStatement {
        let leaves = try HostLeaves(of: definition.plan, over: definition.hosts).digests()
        var statement = Statement(
            .approve, .upgrade, id: StatementID(String(repeating: "a", count: 32)), ledger: "l", policy: 1,
            plan: digest,
            planName: "model", hostsRoot: HostTree(leaves)?.root ?? "", hosts: leaves.count, layers: layers,
            issuedAt: start, notAfter: start.advanced(bySeconds: 1_000_000))
        change(&statement)
        var signed = try signed(statement.signedText(), .approve, by: ["ana"])
        signed.leaves = leaves
        return signed
    }

    private static func harness(
        _ change: (inout Statement) -> Void = { _ in }
    ) throws -> EngineHarness {
        var definition = Model.run()
        definition.planDigest = digest
        definition.approvals = []
        definition.owners = Dictionary(uniqueKeysWithValues: layers.map { ($0, ["ana", "ben"]) })
        let text = try policy().text()
        definition.authority = RunAuthority(
            trusted: PolicyChain.fingerprint(of: text), policies: [try signed(text, .policy, by: ["ana", "ben"])],
            statements: [try approval(of: definition, change)], author: nil, starter: "op")
        return EngineHarness(definition)
    }

    /// A run that is held because c1's step failed.
    private static func held(_ change: (inout Statement) -> Void = { _ in }) throws -> EngineHarness {
        var harness = try harness(change)
        harness.machines[Placement(host: "c1", layer: "core")]?.script = .ends(.exited(code: 1))
        harness.run()
        #expect(harness.state.status == .held(.stepFailed))
        harness.machines[Placement(host: "c1", layer: "core")]?.script = .passes
        return harness
    }

    private static func sign(
        _ action: RequestedAction, in harness: EngineHarness, by keys: [String], id digit: Character = "b"
    ) throws -> SignedStatement {
        let statement = try #require(
            harness.state.statement(
                for: action, id: StatementID(String(repeating: digit, count: 32)), issuedAt: harness.wall,
                validForSeconds: 3_600))
        var signed = try signed(statement.signedText(), statement.purpose, by: keys)
        signed.leaves = harness.state.leaves(of: statement.named ?? [])
        return signed
    }

    private static func refusal(_ action: RequestedAction, in harness: EngineHarness) -> RequestRefusal? {
        harness.state.refusal(of: Request(action: action, by: "op", reason: "model"), at: harness.wall)
    }

    @Test func anApprovedRunIsUpgradedAndItsRecordProvesIt() throws {
        var harness = try SignedRunTests.harness()
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(RolloutState.permissionFault(in: harness.log) == nil)
    }

    @Test func aPolicyThatDoesNotVerifyLeavesNobody() throws {
        var definition = try SignedRunTests.harness().definition
        definition.authority?.policies[0].signatures.removeLast()
        var harness = EngineHarness(definition)
        harness.run()
        #expect(harness.starts.isEmpty)
        #expect(harness.state.status == .awaitingApproval(before: nil))
        #expect(RolloutState.permissionFault(in: harness.log)?.message.contains("its policy does not verify") == true)
    }

    /// The policy travels with the run, and the lists of files with its plan: a start that no builder signed is found in
    /// the record alone.
    @Test func aStartThatNoBuilderHadSignedIsFoundInTheRecord() throws {
        var definition = try SignedRunTests.harness().definition
        var policy = SignedRunTests.policy()
        policy.builders = PolicyGroup(people: ["dan"])
        let text = try policy.text()
        definition.authority?.trusted = PolicyChain.fingerprint(of: text)
        definition.authority?.policies = [try SignedRunTests.signed(text, .policy, by: ["ana", "ben"])]
        let fault = try #require(RolloutState.permissionFault(in: EngineHarness(definition).log))
        #expect(fault.sequence == 1)
        #expect(
            fault.message
                == "nobody had permitted its start: layer data has no release manifest, and the policy asks for one that "
                + "1 builder signed")
        var release = ReleaseManifest(files: ["bin/app": SignedRunTests.digest])
        let unsigned = release
        release.signatures = [try SigningKey("dan").sign(release.text, namespace: Purpose.release.namespace)]
        for index in definition.plan.layers.indices { definition.plan.layers[index].release = release }
        let releases = definition.plan.releaseDigests
        let approval = try SignedRunTests.approval(of: definition) { $0.releases = releases }
        definition.authority?.statements = [approval]
        #expect(RolloutState.permissionFault(in: EngineHarness(definition).log) == nil)
        definition.plan.layers[2].release = unsigned
        let half = RolloutState.permissionFault(in: EngineHarness(definition).log)
        #expect(half?.message.contains("the release manifest of layer edge needs the signatures of 1 builder") == true)
    }

    @Test func aRerunTakesTheOnCallGroupAndNoClaim() throws {
        var harness = try SignedRunTests.held()
        let rerun = RequestedAction.rerun(host: "c1", signedOffBy: nil, from: nil)
        let refusal = try #require(SignedRunTests.refusal(rerun, in: harness))
        #expect(
            refusal.message
                == "layer core needs an approval by one of ana, ben, or an approval by dan")
        #expect(refusal.next == .permit(rerun, run: "r-1", owner: "ana"))
        let claim = RecoveryApproval(owner: "ana", action: .rerun, boundary: harness.state.boundary, hosts: ["c1"])
        #expect(SignedRunTests.refusal(.approveRecovery(claim), in: harness) != nil)

        harness.request(.present(try SignedRunTests.sign(rerun, in: harness, by: ["dan"])))
        #expect(SignedRunTests.refusal(rerun, in: harness) == nil)
        let renamed = RequestedAction.rerun(host: "c1", signedOffBy: "ana", from: nil)
        #expect(SignedRunTests.refusal(renamed, in: harness)?.message == "ana has not signed it; dan has")
        harness.request(rerun)
        harness.run()
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(RolloutState.permissionFault(in: harness.log) == nil)
    }

    @Test func theForwardApprovalCoversTheRollbackThatItNames() throws {
        let rollback = RequestedAction.rollback(scope: .host(name: "c1"), breakGlass: nil)
        let bare = try SignedRunTests.held()
        #expect(
            SignedRunTests.refusal(rollback, in: bare)?.message == "layer core needs an approval by one of ana, ben")
        var harness = try SignedRunTests.held {
            $0.rollback = .init(until: SignedTime(SignedRunTests.start.advanced(bySeconds: 1_000_000)), attempts: 1)
        }
        #expect(SignedRunTests.refusal(rollback, in: harness) == nil)
        harness.request(rollback)
        harness.run()
        #expect(harness.state.placements[Placement(host: "c1", layer: "core")]?.phase == .rolledBack(.verified))
        #expect(RolloutState.permissionFault(in: harness.log) == nil)
    }

    @Test func aRollbackThatFailedHasUsedTheAttemptThatWasApproved() throws {
        var harness = try SignedRunTests.held {
            $0.rollback = .init(until: SignedTime(SignedRunTests.start.advanced(bySeconds: 1_000_000)), attempts: 1)
        }
        harness.machines[Placement(host: "c1", layer: "core")]?.rollback = .ends(.exited(code: 1))
        let rollback = RequestedAction.rollback(scope: .host(name: "c1"), breakGlass: nil)
        harness.request(rollback)
        harness.run()
        #expect(harness.state.placements[Placement(host: "c1", layer: "core")]?.phase == .rolledBack(.failed))
        #expect(
            SignedRunTests.refusal(rollback, in: harness)?.message.contains("its 1 attempt of c1/core is used up")
                == true)
        harness.request(.present(try SignedRunTests.sign(rollback, in: harness, by: ["ben"])))
        #expect(SignedRunTests.refusal(rollback, in: harness) == nil, "another approval permits another attempt")
    }

    /// One approval of a rerun permits as many as it says, and not whatever happens until it ends.
    @Test func aRerunThatWasApprovedIsNotRepeatedForEver() throws {
        var harness = try SignedRunTests.held()
        let placement = Placement(host: "c1", layer: "core")
        harness.machines[placement]?.script = .ends(.exited(code: 1))
        let rerun = RequestedAction.rerun(host: "c1", signedOffBy: nil, from: nil)
        harness.request(.present(try SignedRunTests.sign(rerun, in: harness, by: ["dan"])))
        for _ in 0..<2 {
            #expect(SignedRunTests.refusal(rerun, in: harness) == nil)
            harness.request(rerun)
            harness.run()
        }
        #expect(
            SignedRunTests.refusal(rerun, in: harness)?.message.contains("its 2 attempts of c1/core are used up")
                == true)
    }

    /// A wait that ends by the clock alone is no lack of progress.
    @Test func anApprovalForLaterLetsTheRunGoOnWhenItsTimeComes() throws {
        var harness = try SignedRunTests.harness {
            $0.notBefore = SignedTime(SignedRunTests.start.advanced(bySeconds: 7_200))
        }
        harness.run { $0.state.wait != nil }
        harness.pass(seconds: 7_200)
        // A driver records what is decided before it takes a look.
        #expect(!harness.next.effects.contains { if case .record(.deadlinePassed) = $0 { true } else { false } })
        harness.run()
        #expect(harness.state.failures.isEmpty)
        #expect(harness.state.status == .verified)
    }

    @Test func aRequestThatNobodyHadPermittedIsFoundInTheRecord() throws {
        var harness = try SignedRunTests.held()
        harness.request(.rollback(scope: .host(name: "c1"), breakGlass: nil))
        let fault = try #require(RolloutState.permissionFault(in: harness.log))
        #expect(fault.sequence == UInt64(harness.log.count))
        #expect(fault.message == "nobody had permitted the request: layer core needs an approval by one of ana, ben")
    }

    @Test func breakGlassLeavesAMarkUntilAnOwnerAcknowledgesIt() throws {
        var harness = try SignedRunTests.held()
        let rollback = RequestedAction.rollback(scope: .all, breakGlass: "ana")
        #expect(SignedRunTests.refusal(rollback, in: harness) != nil)
        harness.request(.present(try SignedRunTests.sign(rollback, in: harness, by: ["ana-glass"])))
        #expect(SignedRunTests.refusal(rollback, in: harness) == nil)
        #expect(
            SignedRunTests.refusal(.rollback(scope: .all, breakGlass: nil), in: harness) != nil,
            "it permits no rollback with guardrails, which has an approval of its own")
        harness.request(rollback)
        harness.run()
        #expect(harness.state.status == .rolledBack(.verified))
        #expect(harness.state.openOverrides.map(\.owner) == ["ana"])
        #expect(
            SignedRunTests.refusal(.finalize, in: harness)?.next == .acknowledgeOverride(run: "r-1", owner: nil))

        #expect(
            SignedRunTests.refusal(.supersede(by: "r-2"), in: harness)?.message.contains("nobody has acknowledged")
                == true, "a run that takes over would close it unseen")
        #expect(harness.state.acknowledgementRefusal(by: "ana")?.next == .acknowledgeOverride(run: "r-1", owner: "ben"))
        #expect(harness.state.acknowledgementRefusal(by: "ben") == nil)
        try SignedRunTests.acknowledge(in: &harness, by: "ana", id: "c")
        #expect(harness.state.openOverrides.count == 1, "whoever broke the glass has not looked at it for others")
        try SignedRunTests.acknowledge(in: &harness, by: "ben", id: "d")
        #expect(harness.state.openOverrides.isEmpty)
        #expect(SignedRunTests.refusal(.supersede(by: "r-2"), in: harness) == nil)
        #expect(harness.state.overrides.map(\.acknowledgedBy) == [["ben"]])
    }

    private static func acknowledge(in harness: inout EngineHarness, by person: String, id digit: Character) throws {
        let statement = try #require(
            harness.state.acknowledgement(
                id: StatementID(String(repeating: digit, count: 32)), issuedAt: harness.wall, validForSeconds: 60))
        var signed = try signed(statement.signedText(), .acknowledge, by: [person])
        signed.leaves = harness.state.leaves(of: statement.named ?? [])
        harness.request(.present(signed))
    }

    /// Taking over ends the rollback window, as finalizing does.
    @Test func aRunIsNotTakenOverByAChangeThatNobodyApproved() throws {
        var harness = try SignedRunTests.harness()
        harness.run()
        let refusal = try #require(harness.state.takeoverRefusal(at: harness.wall) { _ in false })
        #expect(refusal.message.contains("the rollback window of r-1") && refusal.message.contains("layer data needs"))
        #expect(refusal.next == .permit(.finalize, run: "r-1", owner: "ana"))
        #expect(harness.state.takeoverRefusal(at: harness.wall) { $0.layer != "core" } != nil)
        #expect(harness.state.takeoverRefusal(at: harness.wall) { _ in true } == nil)
        harness.request(.present(try SignedRunTests.sign(.finalize, in: harness, by: ["ben"])))
        #expect(harness.state.takeoverRefusal(at: harness.wall) { _ in false } == nil)
    }

    /// Hashes do not help whoever writes an operation into a record that the signed plan does not have.
    @Test func anOperationThatThePlanDoesNotHaveIsFoundInTheRecord() throws {
        var harness = try SignedRunTests.harness()
        harness.run()
        let log = harness.log
        #expect(RolloutState.permissionFault(in: log) == nil)
        func fault(_ name: String, _ change: (RunEvent) -> RunEvent?) -> String? {
            let forged = log.compactMap { event in
                change(event.event).map { own in
                    RecordedEvent(sequence: event.sequence, recordedAt: event.recordedAt, event: own, hash: event.hash)
                }
            }
            return RolloutState.permissionFault(in: forged)?.message
        }
        func changed(_ change: @escaping (inout OperationIntent) -> Void) -> String? {
            fault("") { event in
                guard case .operationIntended(var intent) = event, intent.placement.layer == "core" else {
                    return event
                }
                change(&intent)
                return .operationIntended(intent)
            }
        }
        #expect(changed { $0.action = .step(name: "evil") } == "layer core of the plan has no step 'evil'")
        #expect(changed { $0.placement = Placement(host: "c1", layer: "edge") } == "the plan has no placement c1/edge")
        #expect(changed { $0.planDigest = "sha256:other" }?.contains("and the run has another") == true)
        let unasked = fault("") { if case .operationIntended = $0 { nil } else { $0 } }
        #expect(unasked?.hasPrefix("nobody had intended ") == true)
        // The first operation once more, long after it ended well.
        let again = try #require(log.first { if case .operationIntended = $0.event { true } else { false } })
        #expect(
            RolloutState.permissionFault(in: log + [again])?.message.hasPrefix("it does not follow from the record: ")
                == true)
    }

    @Test func theEndOfTheRollbackWindowIsSignedWhereItTakesTheWayBackAway() throws {
        var harness = try SignedRunTests.harness()
        harness.run()
        #expect(SignedRunTests.refusal(.finalize, in: harness)?.message.contains("layer data needs") == true)
        harness.request(.present(try SignedRunTests.sign(.finalize, in: harness, by: ["ben"])))
        #expect(SignedRunTests.refusal(.finalize, in: harness) == nil)
    }

    @Test func aNewVersionOfThePolicyReachesARunThatIsUnderWay() throws {
        var harness = try SignedRunTests.harness()
        harness.run { $0.starts.count == 2 }
        var next = SignedRunTests.policy()
        next.version = 2
        next.revokedKeys = [try SigningKey("ana").fingerprint]
        next.people["ana"]?.keys = [SigningKey("ana-new").line]
        next.signers = PolicyGroup(people: ["ben", "dan"], threshold: 2)
        let text = try next.text()
        #expect(
            SignedRunTests.refusal(.present(try SignedRunTests.signed(text, .policy, by: ["ben", "dan"])), in: harness)
                != nil, "the signers of version 1 must sign it too")
        next.people["ana"]?.keys = [SigningKey("ana").line]
        next.revokedKeys = []
        let first = try next.text()
        harness.request(.present(try SignedRunTests.signed(first, .policy, by: ["ana", "ben", "dan"])))
        #expect(harness.state.authority.policy?.version == 2)
        next.version = 3
        next.people["ana"]?.keys = [SigningKey("ana-new").line]
        next.revokedKeys = [try SigningKey("ana").fingerprint]
        harness.request(.present(try SignedRunTests.signed(next.text(), .policy, by: ["ben", "dan"])))
        harness.run()
        #expect(harness.state.status == .awaitingApproval(before: nil), "the approval was signed with a revoked key")
        #expect(harness.state.wait?.wait.lacking.contains("the key is revoked") == true)
        #expect(harness.state.failures.isEmpty)
    }
}
