import ContentDigest
import FileReading
import Foundation
import Testing
import UpgradeDomain

@testable import Inventory
@testable import PlanFiles

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

    @Test func theFilesThatARollbackKeepsAreOptional() throws {
        let text = try Examples.text("examples/plan.yaml")
        #expect(try Examples.plan(text).layers[0].rollback.keeps == nil)
        let kept = text.replacing("    requires: [", with: "    keeps: [ops, \"lib/${layer}\"]\n    requires: [")
        #expect(try Examples.plan(kept).layers[0].rollback.keeps == ["ops", "lib/${layer}"])
        let run = "    run: [bash, ./scripts/redeploy-host-stack.sh, --to, \"${from}\"]"
        for line in ["script: ./scripts/x.sh", "keeps: [scripts]"] {
            _ = try Examples.plan(text.replacing(run, with: "    run: [bash, -c, 'cd scripts && ./x.sh']\n    \(line)"))
        }
    }

    @Test func aLayersRollbackTakesMissingKeysFromTheDefaults() throws {
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

    /// A replacement in the example, where the problem is reported, and its text.
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
            "${baseURL}/api/v1/orders", "${baseUrl}/api/v1/orders", "${baseUrl}",
            "'${baseUrl}' has no value on host data-1 and 3 more (in representativePath.http.url)"
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
        ("{name: redeploy, run", "{name: redeploy, once: true, run", "- name: data", "no step that runs on every host"),
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

    // MARK: Small plans

    static let small = """
        version: 1
        name: app-${to}
        changeClass: minor
        reviews: [{title: Notes, reference: OPS-1}]
        evidence: [{name: ready, http: {url: "${baseURL}/ready"}}]
        materialization: {run: [./check.sh]}
        guardrails: [{run: [./guard.sh], timeoutSeconds: 900}]
        representativePath: {name: order, http: {url: "${baseURL}/order"}}
        layerDefaults:
          components: [{name: app, http: {url: "${baseURL}/version"}, pointer: /version}]
          steps: [{name: redeploy, run: [./redeploy.sh, --to, "${to}"], script: ./redeploy.sh, idempotent: true}]
          rollback: {boundary: untilFinalize, run: [./redeploy.sh, --to, "${from}"]}
          batches: [1, 100%]
          soakSeconds: 30
        layers:
          - {name: data, oneWay: true, steps: [{name: migrate, run: [./migrate.sh]}, {name: redeploy, timeoutSeconds: 1200}]}
          - {name: core, components: [{name: app, from: "7", to: "8"}]}
          - {name: edge, components: [{name: app, command: {run: [./version.sh]}}], steps: [{name: redeploy, run: [./edge.sh]}]}
        """

    private func small(
        _ text: String = small, from: Version? = "1.4.0", to: Version? = "1.5.0"
    ) throws(FileProblems) -> Plan {
        try PlanFile.read(
            text: text, file: "plan.yaml",
            inventory: (try? Examples.inventory()) ?? FleetInventory(layers: [], hosts: []),
            at: Examples.now, versions: VersionArguments(from: from, to: to))
    }

    @Test func aSmallPlanHasDefaultsForEveryTime() throws {
        let plan = try small()
        #expect(plan.guardrails[0].timeoutSeconds == 900 && plan.materialization.timeoutSeconds == 60)
        let core = plan.layers[1]
        #expect(core.steps[0].command.timeoutSeconds == 600 && core.rollback.command?.timeoutSeconds == 600)
        #expect(core.healthyWithinSeconds == 120 && core.sampleSeconds == 5 && core.failedWhen == [])
        // Longer than the longest step and the guardrails before it.
        #expect(plan.layers.map(\.progressDeadlineSeconds) == [2_160, 1_560, 1_560])
    }

    @Test func worksWithNamesTheVersionsOfThePlan() throws {
        let text = PlanFileTests.small.replacing(
            "- {name: core,", with: "- {name: core, worksWith: {data: [\"${from}\", \"${to}\", \"0.9\"]},")
        #expect(try small(text).layer("core")?.worksWith == ["data": ["1.4.0", "1.5.0", "0.9"]])
    }

    @Test func stepsAndComponentsAreCompletedByNameFromTheDefaults() throws {
        let plan = try small()
        let data = plan.layers[0]
        #expect(data.steps.map(\.name) == ["migrate", "redeploy"])
        #expect(data.steps[1].command.timeoutSeconds == 1_200 && data.steps[1].idempotent)
        #expect(data.steps[1].command.arguments.first == "./redeploy.sh")
        #expect(!data.steps[0].idempotent)
        #expect(data.components.map(\.pointer) == ["/version"])
        #expect(plan.layers[1].components[0].version == VersionChange(from: "7", to: "8"))
        #expect(plan.layers[1].components[0].observe == data.components[0].observe)
        // Another command has no script of the one before, and another way to look no pointer into its answer.
        #expect(plan.layers[2].steps[0].command.script == nil && !plan.layers[2].steps[0].idempotent)
        #expect(plan.layers[2].components[0].pointer == "" && plan.layers[2].components[0].observe.isCommand)
    }

    @Test func aComponentMayAnswerInAnotherFormatWhichAnotherSourceDoesNotTakeOver() throws {
        let text = PlanFileTests.small.replacing(
            "{name: app, http: {url: \"${baseURL}/version\"}, pointer: /version}",
            with: "{name: app, http: {url: \"${baseURL}/version\"}, format: keyValues, pointer: /version}")
        let plan = try small(text)
        #expect(plan.layers.map(\.components[0].format) == [.keyValues, .keyValues, nil])
        #expect(try small().layers[0].components[0].format == nil)
    }

    /// Where a command says a version, an upgrade may replace that command with the package.
    @Test func theInstrumentOfAComponentMayBeExpectedToChange() throws {
        func read(_ component: String) throws -> [ItemReference] {
            try small(
                PlanFileTests.small.replacing(
                    "oneWay: true,",
                    with: "oneWay: true, expects: [{surface: \"version:\(component)\", item: instrument}],")
            ).layers[0].expects
        }
        #expect(try read("app") == [ItemReference(surface: "version:app", item: "instrument")])
        #expect(throws: FileProblems.self) { try read("none") }
    }

    @Test func aMeasureIsANumberOrACount() throws {
        func read(_ place: String) throws -> Measure? {
            try small(
                PlanFileTests.small.replacing(
                    "http: {url: \"${baseURL}/ready\"}",
                    with:
                        "http: {url: \"${baseURL}/ready\"}, read: {shape: measures, measures: [{name: n, \(place), atMost: 3}]}"
                )
            ).evidence[0].reader.measures.first
        }
        func messages(_ place: String) -> [String] {
            (#expect(throws: FileProblems.self) { try read(place) })?.problems.map(\.message) ?? []
        }
        #expect(try read("count: /list") == Measure(name: "n", pointer: "/list", counts: true, atMost: 3))
        #expect(try read("count: \"\"") == Measure(name: "n", pointer: "", counts: true, atMost: 3))
        #expect(try read("pointer: /n") == Measure(name: "n", pointer: "/n", atMost: 3))
        #expect(
            messages("count: /list, pointer: /n") == [
                "the file.evidence[1].read.measures[1] has both 'pointer' and 'count'"
            ])
        #expect(messages("count: list") == ["'list' is not a JSON Pointer"])
        #expect(messages("atLeast: 1") == ["the file.evidence[1].read.measures[1] is missing the key 'pointer'"])
        // A plan without one keeps its digest.
        let written = String(decoding: try JSONEncoder().encode(try #require(try read("pointer: /n"))), as: UTF8.self)
        #expect(!written.contains("counts"))
    }

    @Test func aOneWayLayerHasNoRollback() throws {
        #expect(try small().layers.map(\.rollback.boundary) == [.oneWay, .untilFinalize, .untilFinalize])
        #expect(try small().layers[0].rollback.command == nil)
        let both = PlanFileTests.small.replacing("oneWay: true", with: "oneWay: true, rollback: {boundary: reversible}")
        let error = #expect(throws: FileProblems.self) { try small(both) }
        #expect(error?.problems.map(\.message) == ["layer data is one-way and has a rollback"])
    }

    @Test func theVersionsOfAPlanComeWithTheCommandOrFromTheFileAndNotFromBoth() throws {
        #expect(try small().name == "app-1.5.0")
        #expect(try small(to: "1.6.0").name == "app-1.6.0")
        #expect(try small().version == VersionChange(from: "1.4.0", to: "1.5.0"))
        func messages(_ text: String, from: Version?, to: Version?) -> [String] {
            (#expect(throws: FileProblems.self) { try small(text, from: from, to: to) })?.problems.map(\.message) ?? []
        }
        #expect(
            messages(PlanFileTests.small + "\nto: \"1.5.0\"", from: "1.4.0", to: "1.6.0")
                == ["the file says 'to', and so does --to 1.6.0"])
        #expect(
            messages(PlanFileTests.small, from: "1.4.0", to: nil).first?.contains("no explicit source and target")
                == true)
        #expect(
            messages(PlanFileTests.small, from: nil, to: nil) == ["the file has no explicit source and target version"])
        #expect(messages(PlanFileTests.small, from: "1.4.0", to: "latest") == ["version 'latest' is floating"])
        let bad = PlanFileTests.small.replacing("app-${to}", with: "app ${to}")
        #expect(messages(bad, from: "1.4.0", to: "1.5.0") == ["'app 1.5.0' is not a valid plan name"])
    }

    // MARK: Evidence of a layer

    @Test func aLayersEvidenceStandsBesideThePlansOrInPlaceOfWhatHasItsName() throws {
        let own = PlanFileTests.small.replacing(
            "{name: data, oneWay: true,",
            with: "{name: data, oneWay: true, evidence: [{name: accepts, command: {run: [pg_isready]}}, "
                + "{name: ready, command: {run: [./ready.sh]}, read: {shape: statusMap}}],")
        let plan = try small(own)
        #expect(plan.family(of: plan.layers[0]).map(\.name) == ["ready", "accepts"])
        #expect(plan.family(of: plan.layers[0])[0].source.isCommand)
        #expect(plan.family(of: plan.layers[1]) == plan.evidence && plan.layers[1].evidence == nil)
        // Its names can be waived and expected like others.
        let waived =
            own + "\nwaivers: [{surface: accepts, item: x, owner: ana, reason: r, expires: 2030-01-01T00:00:00Z}]"
        #expect(try small(waived).waivers.count == 1)
        let none = PlanFileTests.small.replacing(
            "evidence: [{name: ready, http: {url: \"${baseURL}/ready\"}}]\n", with: "")
        let error = #expect(throws: FileProblems.self) { try small(none) }
        #expect(error?.problems.map(\.message) == ["layer data has no evidence"])
        let scoped = own.replacing("{name: accepts,", with: "{name: accepts, scope: {fleet: data-1},")
        let refused = #expect(throws: FileProblems.self) { try small(scoped) }
        #expect(refused?.problems.map(\.message) == ["surface 'accepts' of layer data has a scope"])
        let twice = own.replacing(
            "{name: accepts, command: {run: [pg_isready]}}, ", with: "{name: order, command: {run: [./x]}}, ")
        let named = #expect(throws: FileProblems.self) { try small(twice) }
        #expect(named?.problems.map(\.message) == ["surface 'order' is listed twice"])
    }

    @Test func theStarterFilesAreAcceptedAsTheyAre() throws {
        let inventory = try Examples.inventory(StarterFile.inventory.text)
        let plan = try PlanFile.read(
            text: StarterFile.plan.text, file: "plan.yaml", inventory: inventory, at: Examples.now,
            versions: VersionArguments(from: "1.4.0", to: "1.5.0"))
        #expect(plan.name == "app-1.5.0" && plan.layers.map(\.name) == ["data", "app"])
        #expect(plan.family(of: plan.layers[0]).map(\.source.isCommand) == [true])
        #expect(plan.family(of: plan.layers[1]).map(\.source.isCommand) == [false])
        let lines = StarterFile.allCases.map { $0.text.split(separator: "\n").count { !$0.hasPrefix("#") } }
        #expect(lines[0] <= 30 && lines[1] <= 35)
    }

    @Test func aPortIsEvidence() throws {
        let evidence = "evidence: [{name: ready, http: {url: \"${baseURL}/ready\"}}"
        let text = PlanFileTests.small.replacing(
            evidence, with: evidence + ", {name: ssh, tcp: {port: 22, address: \"${address}\", banner: SSH-2.0-}}")
        let plan = try small(text)
        #expect(
            plan.evidence[1].source
                == .tcp(TCPSource(address: "${address}", port: 22, banner: "SSH-2.0-", timeoutSeconds: 10)))
        func messages(_ tcp: String) -> [String] {
            let wrong = text.replacing("{port: 22, address: \"${address}\", banner: SSH-2.0-}", with: tcp)
            return (#expect(throws: FileProblems.self) { try small(wrong) })?.problems.map(\.message) ?? []
        }
        #expect(messages("{banner: x}").first?.contains("is missing the key 'port'") == true)
        #expect(messages("{port: 70000}").first?.contains("is 70000") == true)
        #expect(messages("{port: 22, banner: \"SSH\\n\"}") == ["the banner has an end of line"])
        #expect(messages("{port: 22}, http: {url: \"http://a\"}").first?.contains("needs one source") == true)
    }

    /// How the answer of one source is read says nothing of another.
    @Test func anotherSourceIsNotReadAsTheOneOfTheDefaults() throws {
        let shared = "evidence: [{name: health, http: {url: \"http://a/h\"}, read: {shape: statusMap}}]"
        let text = PlanFileTests.small.replacing("  batches: [1, 100%]", with: "  \(shared)\n  batches: [1, 100%]")
            .replacing(
                "{name: data, oneWay: true,",
                with: "{name: data, oneWay: true, evidence: [{name: health, tcp: {port: 1}}],"
            )
            .replacing("{name: core,", with: "{name: core, evidence: [{name: health, http: {url: \"http://b/h\"}}],")
        let plan = try small(text)
        #expect(plan.layers.map { $0.evidence?.first?.reader.shape } == [.result, .statusMap, .statusMap])
        let versionless = PlanFileTests.small.replacing("command: {run: [./version.sh]}", with: "tcp: {port: 1}")
        let error = #expect(throws: FileProblems.self) { try small(versionless) }
        #expect(error?.problems.map(\.message) == ["component app reads no version from its port"])
    }
}
