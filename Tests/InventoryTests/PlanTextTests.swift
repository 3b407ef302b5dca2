import FileReading
import PlanFiles
import Testing
import UpgradeDomain

/// What is wrong with a text of a plan is found when its file is read, and reported at its own line.
struct PlanTextTests {
    static let fleet = """
        version: 1
        sshConfig: none
        defaults: {user: deploy, workingDirectory: /srv, baseURL: "http://127.0.0.1:8080", variables: {site: ams}}
        layers: [{name: data, owners: [dba]}, {name: app, owners: [ops]}, {name: proxy, owners: [ops]}]
        hosts:
          - {name: db-1, layers: [data], variables: {only: db}}
          - {name: db-2, layers: [data]}
          - {name: app-1, layers: [app]}
          - {name: app-2, layers: [app]}
          - {name: lb-1, layers: [proxy]}
        """

    static let plan = """
        version: 1
        name: shop-1.5.0
        from: "1.4.0"
        to: "1.5.0"
        changeClass: minor
        reviews: [{title: Notes, reference: OPS-1}]
        evidence:
          - {name: health, http: {url: "${baseURL}/health"}}
        materialization: {run: [./check.sh]}
        guardrails: [{run: [./may.sh]}]
        representativePath: {name: order, http: {url: "${baseURL}/order"}}
        layerDefaults:
          components: [{name: app, http: {url: "${baseURL}/version"}, pointer: /version}]
          steps: [{name: redeploy, run: [./redeploy.sh, "${to}"], idempotent: true}]
          rollback: {boundary: untilFinalize, run: [./redeploy.sh, "${from}"]}
          batches: [1, 100%]
          soakSeconds: 60
        layers:
          - name: data
          - name: app
          - name: proxy
        """

    /// The problems as `line: message`.
    private func problems(
        _ changes: [(String, String)], isStored: Bool = false, carrying files: [String: String] = [:]
    ) throws -> [FileProblem] {
        let text = changes.reduce(PlanTextTests.plan) { text, change in
            #expect(text.contains(change.0))
            return text.replacing(change.0, with: change.1, maxReplacements: 1)
        }
        let inventory = try Examples.inventory(PlanTextTests.fleet)
        do throws(FileProblems) {
            _ = try PlanFile.read(
                text: text, file: "plan.yaml", inventory: inventory,
                at: Examples.now, isStored: isStored, loading: { files[$0] ?? "" })
            return []
        } catch {
            return error.problems
        }
    }

    private func lines(_ changes: [(String, String)], isStored: Bool = false) throws -> [String] {
        try problems(changes, isStored: isStored).map { "\($0.line): \($0.message)" }
    }

    private static let health = "{name: health, http: {url: \"${baseURL}/health\"}}"

    @Test func theSmallPlanIsValid() throws { #expect(try lines([]) == []) }

    @Test(arguments: [
        ("\"${from}\"]}", "\"${from\"]}", "15: '${from' has a '${' without a '}' (in layerDefaults.rollback.run[2])"),
        (
            "[./redeploy.sh, \"${to}\"]", "[\"${to\"]",
            "14: '${to' has a '${' without a '}' (in layerDefaults.steps[1].run[1])"
        ),
        (
            "${baseURL}/order", "${baseURL/order",
            "11: '${baseURL/order' has a '${' without a '}' (in representativePath.http.url)"
        ),
    ])
    func aPlaceholderMustBeClosed(_ from: String, _ to: String, _ expected: String) throws {
        let found = try lines([(from, to)])
        #expect(found.contains(expected), "\(found)")
        #expect(Placeholder.isUnclosed("a ${b") && !Placeholder.isUnclosed("a $${b ${c} $d {e"))
    }

    @Test func anInventorysPlaceholderMustBeClosed() {
        let text = PlanTextTests.fleet.replacing("workingDirectory: /srv", with: "workingDirectory: \"/srv/${host\"")
        #expect(
            Examples.problems(inventory: text).first?.message == "'/srv/${host' has a '${' without a '}'")
    }

    @Test func aWrongNameIsOneProblemAtItsOwnLine() throws {
        let found = try problems([("${baseURL}/order", "${baseUrl}/order")])
        #expect(
            found.map { "\($0.line): \($0.message)" } == [
                "11: '${baseUrl}' has no value on host db-1 and 4 more (in representativePath.http.url)"
            ])
        #expect(found.first?.remedy.hasPrefix("did you mean '${baseURL}'? ") == true)
        #expect(
            try lines([("\"${to}\"", "\"${var.only}\"")]) == [
                "14: '${var.only}' has no value on host db-2 and 3 more (in layerDefaults.steps[1].run[2])"
            ])
    }

    @Test func aMisspeltLayerIsNamed() throws {
        let found = try problems([("name: proxy", "name: proxi")])
        #expect(found.map { "\($0.line): \($0.message)" } == ["21: the inventory has no layer 'proxi'"])
        #expect(found.first?.remedy.hasPrefix("did you mean 'proxy'? ") == true)
    }

    @Test func everyProblemThatCanBeKnownIsReportedAtOnce() throws {
        let found = try lines([
            ("${baseURL}/order", "${baseUrl}/order"),
            ("  - name: app\n", "  - name: app\n    expects: [{surface: nope, item: x}]\n"),
            (
                "  - name: proxy",
                "  - name: proxy\n    steps: [{name: a, run: [x]}, {name: a, run: [y]}]\nholdPoints: [zz]\n"
                    + "waivers: [{surface: qq, item: a, owner: ops, reason: x, expires: 2030-01-01T00:00:00Z}]\n"
                    + "exclusions: [{host: q, reason: x}]"
            ),
        ])
        #expect(found.count == 6, "\(found)")
    }

    @Test func theLowestLayerWorksWithNone() throws {
        let found = try problems([("- name: data\n", "- name: data\n    worksWith: {app: [\"1.4.0\", \"1.5.0\"]}\n")])
        #expect(found.map(\.remedy) == ["remove it: this is the lowest layer"])
    }

    /// A source in place of `http: {url: ...}`, and the beginning of what is reported of it.
    static let sources = [
        ("command: {run: [a], environment: {\"A=B\": x}}", "'A=B' is not the name of a variable"),
        ("command: {run: [a], environment: {\"\": x}}", "'' is not the name of a variable"),
        ("command: {run: [a], timeoutSeconds: 7200}", "evidence may not take 7200 s"),
        ("container: {engine: docker, name: \"-x a\"}", "the name '-x a' is empty or begins with '-'"),
        ("http: {url: \"http://x/\", tls: {caFile: x}}", "'x' is not an absolute path"),
        ("http: {url: \"http://x/\", headers: {A: \"b\\nc\"}}", "a header is not a single line of text"),
        ("http: {url: \"http://x/\", headers: {\"A b\": c}}", "'A b' is not the name of a header"),
        ("http: {url: \"http://x/\", headers: {\"A:\": c}}", "'A:' is not the name of a header"),
        ("http: {url: \"http://x/\", secretHeaders: {A: {file: y}}}", "'y' is not an absolute path"),
        ("http: {url: \"\"}", "the file.evidence[1].http.url is empty"),
        ("http: {url: /x}", "URL '/x' does not begin with http://"),
        ("http: {url: \"ftp://x/\"}", "URL 'ftp://x/' does not begin with http://"),
        ("http: {url: \"http:///x\"}", "URL 'http:///x' has no host"),
        ("http: {url: \"http://x:99999/\"}", "URL 'http://x:99999/' has the port '99999'"),
        ("http: {url: \"http://x/a b\"}", "URL 'http://x/a b' has a space"),
        ("http: {url: \"${baseURL}x\"}", "URL 'http://127.0.0.1:8080x' has the port '8080x'"),
        (
            "http: {url: \"http://x/\", acceptedStatuses: []}",
            "the file.evidence[1].http.acceptedStatuses is an empty list"
        ),
        ("tcp: {port: 1, address: db.example.net}", "'db.example.net' is not an address"),
        ("tcp: {port: 1, address: 10.0.0.999}", "'10.0.0.999' is not an address"),
        (
            "http: {url: \"http://x/\"}, read: {shape: statusMap, healthy: []}",
            "the file.evidence[1].read.healthy is an empty list"
        ),
        ("http: {url: \"http://x/\"}, read: {shape: value, items: \"/~2\"}", "'/~2' is not a JSON Pointer"),
        ("http: {url: \"http://x/\"}, read: {shape: result, items: /x}", "the file.evidence[1].read.items is not used"),
        ("http: {url: \"http://x/\"}, read: {shape: statusMap, key: k}", "the file.evidence[1].read.key is not used"),
    ]

    @Test(arguments: sources.indices)
    func whatNoAgentCarriesOutIsRefused(_ index: Int) throws {
        let (source, message) = PlanTextTests.sources[index]
        let found = try problems([(PlanTextTests.health, "{name: health, \(source)}")])
        #expect(found.count == 1 && found.first?.line == 8, "\(found)")
        #expect(found.first?.message.hasPrefix(message) == true, "\(found)")
    }

    /// Wherever a request is written, its URL is checked.
    @Test(arguments: [
        ("${baseURL}/order", "representativePath"), ("${baseURL}/version", "layerDefaults.components[1]"),
    ])
    func everyURLIsChecked(_ url: String, _ place: String) throws {
        let found = try lines([(url, "${baseURL}x")])
        #expect(
            found.count == 1 && found[0].contains("has the port '8080x'")
                && found[0].contains("(in \(place).http.url)"), "\(found)")
        #expect(found[0].contains("on host db-1 and 4 more"))
    }

    @Test(arguments: [
        ("title: Notes", "title: \"\"", "6: the file.reviews[1].title is empty"),
        ("reference: OPS-1", "reference: \" \"", "6: the file.reviews[1].reference is empty"),
        ("batches: [1, 100%]", "batches: []", "16: the file.layerDefaults.batches is an empty list"),
        ("from: \"1.4.0\"", "from: \"1.4.0\\n\"", "3: the file.from has a space or an end of line"),
        (
            "  - name: proxy", "  - name: proxy\nexclusions: [{host: app-1, reason: \"\"}]",
            "22: the file.exclusions[1].reason is empty"
        ),
        (
            "  - name: proxy", "  - name: proxy\nexclusions: [{host: app-1, reason: a}, {host: app-1, reason: b}]",
            "22: host 'app-1' is excluded twice"
        ),
        (
            "  - name: proxy",
            "  - name: proxy\nagreements: [[{surface: health, item: a}, {surface: health, item: a}]]",
            "22: the file.agreements[1] lists one item twice"
        ),
        (
            "  - name: proxy",
            "  - name: proxy\nwaivers: [{surface: health, item: a, host: q, owner: ops, reason: x, "
                + "expires: 2030-01-01T00:00:00Z}]", "22: the inventory has no host 'q' to waive a fault of"
        ),
    ])
    func whatIsEmptyOrMeansNothingIsRefused(_ from: String, _ to: String, _ expected: String) throws {
        #expect(try lines([(from, to)]) == [expected])
    }

    @Test func whatIsStillToBeWrittenIsCheckedAndNotStored() throws {
        let draft = [("OPS-1", "TO BE WRITTEN")]
        #expect(try lines(draft) == [])
        #expect(
            try lines(draft, isStored: true) == ["6: the reference of the review 'Notes' is still to be written"])
    }

    /// A message quotes what is wrong, however long that is.
    @Test func aLongQuotationIsCut() throws {
        let long = String(repeating: "x", count: 5_000_000)
        let found = try problems([("minor", long)])
        #expect(found.count == 1 && found[0].message.utf8.count < 1_100 && found[0].message.hasSuffix("valid value"))
    }

    /// What is stored is read and judged as before.
    @Test func aStoredPlanIsNotHeldToTheRulesOfFiles() throws {
        let inventory = try Examples.inventory(PlanTextTests.fleet)
        var plan = try PlanFile.read(
            text: PlanTextTests.plan, file: "p", inventory: inventory, at: Examples.now)
        plan.layers[0].rollback.command?.arguments = ["./x", "${from"]
        plan.layers[0].batches = []
        plan.representativePath.source = .http(HTTPSource(url: "ftp://x", timeoutSeconds: 1))
        #expect(plan.startProblems(over: inventory, at: Examples.now) == [])
        plan.layers[0].steps[0].command.environment = ["A=B": "x"]
        #expect(plan.startProblems(over: inventory, at: Examples.now).count == 1)
    }
}
