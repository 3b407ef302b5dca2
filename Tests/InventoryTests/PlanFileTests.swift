import ContentDigest
import Foundation
import Testing
import UpgradeDomain

@testable import Inventory

struct PlanFileTests {
    @Test func theExampleIsReadWithItsLayerDefaults() throws {
        let plan = try Examples.plan(try Examples.text("examples/plan.yaml"))
        #expect(plan.layers.map(\.name) == ["data", "core", "edge"])
        #expect(plan.layers[0].steps.map(\.name) == ["backup", "redeploy"])
        #expect(plan.layers[0].steps[0].once)
        #expect(plan.layers[1].steps.map(\.name) == ["redeploy"])
        #expect(plan.layers[1].batches == [.count(1), .percent(25), .percent(100)])
        #expect(plan.layers[2].maxInFlight == 2)
        let proof = try #require(plan.layers[1].components[0].runtime)
        #expect(proof.source.links == [.manifest, .files, .process, .mappings, .started, .program, .port(1), .unit])
        #expect(proof.restarts && proof.approved["1.5.0"]?.manifest?.rawValue.hasPrefix("sha256:2c26") == true)
        #expect(plan.layers[2].components[0].version == VersionChange(from: "2.1", to: "2.2"))
        #expect(plan.layers[2].version == VersionChange(from: "1.4.0", to: "1.5.0"))
        #expect(plan.evidence[2].scope == .fleet(vantage: "data-1"))
        #expect(plan.waivers.first?.expiresAtMilliseconds == 1_909_008_000_000)
    }

    @Test func whatARollbackKeepsIsReadAndAbsentWhereNothingIsNamed() throws {
        let text = try Examples.text("examples/plan.yaml")
        #expect(try Examples.plan(text).layers[0].rollback.keeps == nil)
        let kept = text.replacing("    requires: [", with: "    keeps: [ops, \"lib/${layer}\"]\n    requires: [")
        #expect(try Examples.plan(kept).layers[0].rollback.keeps == ["ops", "lib/${layer}"])
        let run = "    run: [bash, ./scripts/redeploy-host-stack.sh, --to, \"${from}\"]"
        for line in ["script: ./scripts/x.sh", "keeps: [scripts]"] {
            _ = try Examples.plan(text.replacing(run, with: "    run: [bash, -c, 'cd scripts && ./x.sh']\n    \(line)"))
        }
    }

    @Test func aLayersRollbackCompletesItselfFromTheDefaultsKeyByKey() throws {
        let text = try Examples.text("examples/plan.yaml")
        let defaults = try Examples.plan(text).layers[1].rollback
        func rollback(_ own: String) throws -> RollbackPosture {
            try Examples.plan(text.replacing("  - name: core\n", with: "  - name: core\n    rollback: {\(own)}\n"))
                .layers[1]
                .rollback
        }
        var expected = defaults
        expected.boundary = .reversible
        #expect(try rollback("boundary: reversible") == expected)
        expected = defaults
        expected.keeps = ["ops"]
        #expect(try rollback("keeps: [ops]") == expected)
        expected = defaults
        expected.requires = []
        #expect(try rollback("requires: ~") == expected)
        let scripted = text.replacing(
            "    boundary: untilFinalize", with: "    script: ./x.sh\n    boundary: untilFinalize")
        let own = scripted.replacing("  - name: core\n", with: "  - name: core\n    rollback: {run: [./back.sh]}\n")
        #expect(try Examples.plan(own).layers.map(\.rollback.command?.script) == ["./x.sh", nil, "./x.sh"])
        expected = defaults
        expected.command?.arguments = ["./back.sh"]
        #expect(try rollback("run: [./back.sh]") == expected)
    }

    @Test func aOneWayLayerNeedsNoRollbackCommandAndAnyOtherDoes() throws {
        let text = try Examples.text("examples/plan.yaml")
        let run =
            "    run: [bash, ./scripts/redeploy-host-stack.sh, --to, \"${from}\"]\n    timeoutSeconds: 900\n    requires"
        let without = text.replacing(run, with: "    requires")
        #expect(throws: FileProblems.self) { try Examples.plan(without) }
        let oneWay = try Examples.plan(without.replacing("boundary: untilFinalize", with: "boundary: oneWay"))
        #expect(oneWay.layers.allSatisfy { $0.rollback.command == nil })
        let bytes = try CanonicalJSON.encode(oneWay)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("\"rollback\":{\"boundary\":\"oneWay\",\"command\""))
        #expect(try CanonicalJSON.decode(Plan.self, from: bytes) == oneWay)
    }

    @Test func theDigestDoesNotDependOnKeyOrderOrComments() throws {
        let text = try Examples.text("examples/plan.yaml")
        let stripped = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined(separator: "\n")
        let reordered =
            stripped.replacingOccurrences(of: "name: stack-1.5.0\n", with: "") + "\nname: stack-1.5.0 # at the end\n"
        let digest = try Digest.canonical(of: Examples.plan(text))
        #expect(try Digest.canonical(of: Examples.plan(reordered)) == digest)
        let changed = text.replacingOccurrences(of: "soakSeconds: 60", with: "soakSeconds: 61")
        #expect(try Digest.canonical(of: Examples.plan(changed)) != digest)
    }

    /// What is replaced in the example by what, where the problem is reported, and what it says.
    static let refusals: [(from: String, to: String, at: String, message: String)] = [
        ("to: \"1.5.0\"\n", "to: latest\n", "to: latest", "version 'latest' is floating"),
        ("      - name: api\n", "      - name: \"a|b\"\n", "- name: \"a|b", "is not a valid component name"),
        ("to: \"1.5.0\"\n", "to: \"1.4.0\"\n", "to: \"1.4.0\"", "are both 1.4.0"),
        ("from: \"1.4.0\"  ", "frm: \"1.4.0\"  ", "frm:", "has no key 'frm'"),
        ("changeClass: minor", "changeClass: huge", "changeClass: huge", "is not a valid value"),
        ("    boundary: untilFinalize", "    # boundary", "rollback:", "is missing the key 'boundary'"),
        (
            "    requires: [\"releases/${from}\"]", "    keeps: [../scripts]", "- name: data",
            "keeps '../scripts', which is not below the working directory"
        ),
        (
            "    run: [bash, ./scripts/redeploy-host-stack.sh, --to, \"${from}\"]",
            "    run: [bash, -euc, './scripts/redeploy-host-stack.sh']", "- name: data",
            "what the rollback of layer data runs is not known"
        ),
        (
            "    run: [bash, ./scripts/redeploy-host-stack.sh, --to, \"${from}\"]",
            "    run: [sudo, -n, /bin/sh, -c, 'cd scripts && ./redeploy-host-stack.sh']", "- name: data",
            "what the rollback of layer data runs is not known"
        ),
        ("batches: [1, 25%, 100%]", "batches: [1, 25%]", "batches:", "the last batch is 25%"),
        (
            "timestamp: {pointer: /generatedAt, maxAgeSeconds: 60}", "timestamp: {maxAgeSeconds: 60}", "timestamp:",
            "is missing the key 'pointer'"
        ),
        ("scope: {fleet: data-1}", "scope: {}", "scope:", "has 0 scopes"),
        ("scope: {fleet: data-1}", "scope: {fleet: data-1, layer: data-1}", "scope:", "has 2 scopes"),
        ("batches: [1, 25%, 100%]", "batches: [3, 2, 100%]", "batches:", "is not larger than 3"),
        ("batches: [1, 25%, 100%]", "batches: [1, half]", "batches:", "'half' is not a batch size"),
        ("  failedWhen:\n", "  # failedWhen:\n", "", "is not YAML"),
        ("  - name: edge\n    maxInFlight", "  - name: rim\n    maxInFlight", "name: rim", "has no layer 'rim'"),
        ("      - name: api\n", "      - nam: api\n", "nam: api", "has no key 'nam'"),
        ("exclusions: []", "exclusions: [{host: nobody, reason: r}]", "exclusions:", "has no host 'nobody'"),
        ("exclusions: []", "exclusions: [{host: data-1}]", "exclusions:", "is missing the key 'reason'"),
        ("exclusions: []", "exclusions: [{host: data-1, reason: r}]", "- name: data", "layer data has no hosts left"),
        ("owner: ana\n    reason", "owner: bob\n    reason", "owner: bob", "'bob' owns no layer"),
        ("surface: services\n", "surface: servces\n", "servces", "no surface is named 'servces'"),
        ("expires: 2030-06-30T00:00:00Z", "expires: soon", "expires: soon", "'soon' is not a valid time"),
        (
            "expires: 2030-06-30T00:00:00Z", "expires: 2026-01-01T00:00:00Z", "- surface: services",
            "the waiver of services legacy-report expired at 2026-01-01T00:00:00Z"
        ),
        (
            "${baseURL}/api/v1/orders", "${baseUrl}/api/v1/orders", "- name: data",
            "'${baseUrl}' has no value on host data-1"
        ),
        ("shape: statusList ", "shape: list ", "shape: list", "is not a valid value"),
        (
            "healthy: [healthy, up]", "healthy: [healthy, down]", "healthy: [healthy, down]",
            "is listed as both healthy and unhealthy"
        ),
        ("items: /checks", "items: checks", "items: checks", "is not a JSON Pointer"),
        (
            "{fleet: data-1}", "{fleet: data-9}", "- name: replication",
            "is captured from data-9, which is not among the plan's hosts"
        ),
        (
            "{fleet: data-1}", "{fleet: bastion-1}", "- name: replication",
            "is captured from bastion-1, which is not among the plan's hosts"
        ),
        (
            "exclusions: []", "exclusions: [{host: data-1, reason: r}]", "- name: replication",
            "is captured from data-1, which is not among the plan's hosts"
        ),
        ("data: [\"1.4.0\", \"1.5.0\"]", "data: [\"1.5.0\"]", "- name: core", "meets data 1.4.0 during the run"),
        ("data: [\"1.4.0\", \"1.5.0\"]", "edge: [\"1.4.0\"]", "- name: core", "which is not a layer below it"),
        (
            "            \"1.5.0\": {manifest", "            \"1.6.0\": {manifest", "- name: core",
            "does not say what 1.5.0 is"
        ),
        ("manifest: 486ea462", "manifest: 486ea46x", "\"1.4.0\": {manifest", "is not a SHA-256"),
        (
            "          unit: stack-api.service\n", "          container: {engine: lxd, name: api}\n", "container:",
            "is not a valid value"
        ),
        (
            "          unit: stack-api.service\n", "          container: {engine: docker, name: api}\n", "- name: core",
            "no image"
        ),
        ("requires: [\"releases/${from}\"]  ", "requires: [{path: x}]  ", "requires:", "is missing the key 'sha256'"),
        ("soakSeconds: 60", "soakSeconds: -1", "soakSeconds: -1", "is -1"),
        (
            "{surface: services, item: scheduler}", "{surface: servces, item: x}", "- name: core",
            "unknown surface 'servces'"
        ),
        ("{name: redeploy, run", "{name: deploy, run", "- name: data", "no step 'redeploy' that runs on every host"),
        (
            "    run: [bash, ./scripts/redeploy-host-stack.sh, --to, \"${from}\"]\n", "", "rollback:",
            "is missing the key 'run'"
        ),
    ]

    @Test(arguments: refusals.indices)
    func aBadPlanIsRefusedWithLineAndRemedy(_ index: Int) throws {
        let (from, to, at, message) = PlanFileTests.refusals[index]
        let good = try Examples.text("examples/plan.yaml")
        #expect(good.contains(from), "the example no longer holds \(from)")
        let bad = good.replacingOccurrences(of: from, with: to)
        let problems = try Examples.problems(plan: bad)
        let found = try #require(
            problems.first { $0.message.contains(message) }, "\(message): \(problems.map(\.description))")
        if !at.isEmpty { #expect(found.line == bad.line(of: at), "\(found)") }
        #expect(!found.remedy.isEmpty)
    }

    @Test func whatIsMissingIsNamed() throws {
        let problems = try Examples.problems(plan: "version: 1\nname: empty\n")
        let messages = problems.map(\.message).joined(separator: "\n")
        for part in [
            "source and target version", "evidence", "guardrails", "review", "materialization", "representativePath",
            "layers", "changeClass",
        ] {
            #expect(messages.contains(part), "\(part) is not named in\n\(messages)")
        }
    }

    @Test func aHostInNoLayerOfThePlanMustBeExcludedByName() throws {
        let text = try Examples.text("examples/plan.yaml")
        let start = try #require(text.range(of: "  - name: data\n    steps"))
        let end = try #require(text.range(of: "  - name: core\n    components"))
        let without = text.replacingCharacters(in: start.lowerBound..<end.lowerBound, with: "")
        let problems = try Examples.problems(plan: without)
        #expect(problems.contains { $0.message.contains("host data-1 is in no layer of the plan") })
        let named = without.replacingOccurrences(
            of: "exclusions: []", with: "exclusions: [{host: data-1, reason: later}]"
        ).replacing("{fleet: data-1}", with: "{fleet: core-1}")
        #expect(try Examples.problems(plan: named).isEmpty)
    }

    @Test func theSchemasKnowExactlyTheKeysThatTheReadersKnow() throws {
        func keys(_ file: String, _ definition: String?) throws -> Set<String> {
            let document = try JSONDecoder().decode(
                JSONValue.self, from: Data(try Examples.text("schema/\(file).schema.json").utf8))
            let pointer = definition.map { "/$defs/\($0)/properties" } ?? "/properties"
            guard case .object(let members)? = document.value(at: pointer) else { return [] }
            return Set(members.keys)
        }
        #expect(try keys("inventory", nil) == Set(InventoryFile.rootKeys))
        #expect(try keys("inventory", "defaults") == Set(InventoryFile.defaultKeys))
        #expect(try keys("inventory", "layer") == Set(InventoryFile.layerKeys))
        #expect(try keys("inventory", "host") == Set(InventoryFile.hostKeys))
        #expect(try keys("plan", nil) == Set(PlanFile.rootKeys))
        #expect(try keys("plan", "command") == Set(PlanFile.commandKeys))
        #expect(try keys("plan", "surface") == Set(PlanFile.surfaceKeys))
        #expect(try keys("plan", "http") == Set(PlanFile.httpKeys))
        #expect(try keys("plan", "read") == Set(PlanFile.readerKeys))
        #expect(try keys("plan", "runtime") == Set(PlanFile.runtimeKeys))
        #expect(try keys("plan", "layerDefaults") == Set(PlanFile.layerDefaultKeys))
        #expect(try keys("plan", "layer") == Set(PlanFile.layerKeys))
    }
}
