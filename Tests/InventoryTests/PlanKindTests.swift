import ContentDigest
import FileReading
import Testing
import UpgradeDomain

@testable import PlanFiles

/// Tests how plan files describe units, containers and TLS, and what of it is refused.
@Suite struct PlanKindTests {
    /// A small plan with one more surface.
    private func read(_ surface: String, in text: String = PlanFileTests.small) throws(FileProblems) -> Plan {
        let ready = "evidence: [{name: ready, http: {url: \"${baseURL}/ready\"}}"
        return try PlanFile.read(
            text: text.replacing(ready, with: "\(ready), \(surface)"), file: "plan.yaml",
            inventory: (try? Examples.inventory()) ?? FleetInventory(layers: [], hosts: []), at: Examples.now,
            versions: VersionArguments(from: "1.4.0", to: "1.5.0"))
    }

    private func surface(_ text: String) throws -> Surface { try read("{name: more, \(text)}").evidence[1] }

    private func messages(_ text: String) -> [String] {
        (#expect(throws: FileProblems.self) { try read("{name: more, \(text)}") })?.problems.map(\.message) ?? []
    }

    private func restarts(_ allowed: Double) -> Reader {
        Reader(
            shape: .items, items: "/items",
            measures: [
                Measure(
                    name: "restarts", pointer: "/restarts", rise: Tolerance(absolute: allowed), since: .change)
            ])
    }

    @Test func aUnitIsItsNameOrMore() throws {
        let short = try surface("unit: stack-api.service")
        #expect(short.source == .unit(UnitSource(name: "stack-api.service", timeoutSeconds: 10)))
        #expect(short.reader == restarts(0))
        let long = try surface("unit: {name: \"${layer}.service\", allowedRestarts: 2, timeoutSeconds: 5}")
        #expect(long.source == .unit(UnitSource(name: "${layer}.service", timeoutSeconds: 5)))
        #expect(long.reader == restarts(2))
        let own = try surface("unit: x.service, read: {shape: items, items: /items}")
        #expect(own.reader == Reader(shape: .items, items: "/items"))
    }

    @Test(arguments: [
        ("unit: {allowedRestarts: 1}", "is missing the key 'name'"),
        ("unit: \"api*\"", "'api*' is not the name of one unit"),
        ("unit: --user", "'--user' is not the name of one unit"),
        ("unit: {name: a.service, allowedRestarts: -1}", "is -1"),
        ("unit: {name: a.service, restarts: 1}", "has no key 'restarts'"),
        ("unit: {name: a.service, timeoutSeconds: 0}", "is 0"),
        ("unit: a.service, tcp: {port: 1}", "needs one source"),
        ("unit: {name: a, allowedRestarts: 1}, read: {shape: result}", "has both 'read' and 'allowedRestarts'"),
        ("container: {name: api}", "is missing the key 'engine'"),
        ("container: {engine: lxc, name: api}", "'lxc' is not a valid value"),
        ("container: {engine: docker}", "is missing the key 'name'"),
        ("container: {engine: docker, name: api, allowedRestarts: 2000}", "is 2000"),
        ("tcp: {port: 1, tls: {caFile: /ca.pem}}", "is missing the key 'serverName'"),
        ("tcp: {port: 1, tls: {serverName: \"a b\"}}", "'a b' is not the name of a server"),
        ("tcp: {port: 1, tls: {serverName: -x}}", "'-x' is not the name of a server"),
        ("tcp: {port: 1, tls: {serverName: \"db:5432\"}}", "'db:5432' is not the name of a server"),
        ("tcp: {port: 1, tls: {serverName: db, startTLS: telnet}}", "'telnet' is not a valid value"),
        (
            "tcp: {port: 1, tls: {serverName: db, caFile: ca.pem}}",
            "'ca.pem' is not an absolute path (in evidence[2].tcp.tls.caFile)"
        ),
        ("tcp: {port: 1, tls: {serverName: db, keyFile: /key}}", "has a key without a certificate"),
        ("tcp: {port: 1, tls: {serverName: db, certificateDays: 4000}}", "is 4000"),
        ("tcp: {port: 1, tls: {serverName: db, days: 4}}", "has no key 'days'"),
        ("tcp: {port: 1, banner: x, tls: {serverName: db}}", "has both a banner and tls"),
        (
            "tcp: {port: 1, tls: {serverName: db, certificateDays: 1}}, read: {shape: result}",
            "has both 'read' and 'certificateDays'"
        ),
    ])
    func aBadSourceIsRefused(text: String, message: String) {
        let messages = messages(text)
        #expect(messages.contains { $0.contains(message) }, "\(messages)")
        #expect(messages.count == 1, "\(messages)")
    }

    @Test(arguments: [
        "unit: \"${var.none}.service\"", "container: {engine: docker, name: \"${var.none}\"}",
        "tcp: {port: 1, tls: {serverName: \"${var.none}\"}}",
        "tcp: {port: 1, tls: {serverName: db, caFile: \"${var.none}\"}}",
    ])
    func aPlaceholderNeedsAValue(text: String) {
        let messages = messages(text)
        #expect(!messages.isEmpty && messages.allSatisfy { $0.hasPrefix("'${var.none}' has no value on host") })
    }

    @Test func aContainerIsItsEngineAndName() throws {
        let found = try surface("container: {engine: podman, name: \"api-${host}\"}")
        let reference = ContainerReference(engine: .podman, name: "api-${host}")
        #expect(found.source == .container(ContainerSource(reference, timeoutSeconds: 10)))
        #expect(found.reader == restarts(0))
    }

    @Test func aPortMaySpeakTLS() throws {
        let found = try surface(
            "tcp: {port: 5432, tls: {serverName: \"${host}\", startTLS: postgres, caFile: /ca.pem, certificateDays: 30}}"
        )
        #expect(
            found.source
                == .tcp(
                    TCPSource(
                        port: 5432, timeoutSeconds: 10,
                        tls: ServiceTLS(serverName: "${host}", startTLS: .postgres, caFile: "/ca.pem"))))
        #expect(found.reader.shape == .measures)
        #expect(
            found.reader.measures == [
                Measure(name: "certificateDays", pointer: "/certificate/days", atLeast: 30),
                Measure(name: "tlsVersion", pointer: "/tls/version", fall: Tolerance(absolute: 0)),
            ])
        #expect(try surface("tcp: {port: 1, tls: {serverName: db}}").reader.measures[0].atLeast == 14)
    }

    /// Only some kinds say which version runs.
    @Test func aComponentNeedsAKindWithAVersion() throws {
        func component(_ text: String) throws(FileProblems) -> Plan {
            let own = "components: [{name: app, http: {url: \"${baseURL}/version\"}, pointer: /version}]"
            return try read(
                "{name: more, unit: a.service}",
                in: PlanFileTests.small.replacing(own, with: "components: [{name: app, \(text)}]"))
        }
        func messages(_ text: String) -> [String] {
            (#expect(throws: FileProblems.self) { try component(text) })?.problems.map(\.message) ?? []
        }
        let plan = try component("container: {engine: docker, name: app}")
        #expect(plan.layers[0].components[0].pointer == "/tag")
        #expect(
            try component("container: {engine: docker, name: app}, pointer: /label").layers[0].components[0].pointer
                == "/label")
        #expect(messages("unit: a.service") == ["component app reads no version from a unit"])
        #expect(
            messages("tcp: {port: 1, tls: {serverName: db}}") == ["component app reads no version from its certificate"]
        )
    }

    @Test func aMeasureMayCountFromTheFirstLookAfterTheChange() throws {
        let since = "http: {url: \"http://a/s\"}, read: {shape: measures, measures: [{name: n, pointer: /n, "
        #expect(try surface(since + "rise: {absolute: 0}, since: change}]}").reader.measures[0].since == .change)
        #expect(messages(since + "rise: {absolute: 0}, since: boot}]}") == ["'boot' is not a valid value"])
        #expect(
            messages(since + "atMost: 3, since: change}]}").first?.hasSuffix("compares nothing since the change")
                == true)
        let scoped = "scope: {layer: core-1}, " + since + "rise: {absolute: 0}, since: change}]}"
        #expect(messages(scoped) == ["measure n of surface more has 'since', and is captured for many hosts"])
    }

    /// What plans without the new keys are stored as does not change.
    @Test func aPlanWithoutThemIsStoredAsBefore() throws {
        let tcp = try surface("tcp: {port: 1}, read: {shape: measures, measures: [{name: n, pointer: /n, atMost: 3}]}")
        let text = String(decoding: try CanonicalJSON.encode(tcp), as: UTF8.self)
        #expect(!text.contains("since") && !text.contains("tls"))
    }
}
