import FileReading
import Foundation
import Inventory
import PlanFiles
import Testing
import UpgradeDomain

/// The reference and the schemas say what the reader reads, and every example is read.
struct ReferenceTests {
    private static let repository = Examples.folder.deletingLastPathComponent()

    private static let generated: [(path: String, text: @Sendable () -> String)] = [
        (KeyReference.path, { KeyReference.text }),
        ("inventory/schema/inventory.schema.json", { KeySchema(tree: .inventory).text }),
        ("inventory/schema/plan.schema.json", { KeySchema(tree: .plan).text }),
        ("inventory/schema/policy.schema.json", { KeySchema(tree: .policy).text }),
    ]

    @Test(arguments: generated.indices)
    func thePageAndTheSchemasAreMadeFromTheDeclarations(_ index: Int) throws {
        let (path, text) = ReferenceTests.generated[index]
        let file = ReferenceTests.repository.appending(path: path)
        let made = text()
        let committed = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        if committed != made, ProcessInfo.processInfo.environment["LOCKFLIGHT_WRITE_DOCS"] != nil {
            try made.write(to: file, atomically: true, encoding: .utf8)
        }
        let lines = zip(committed.split(separator: "\n"), made.split(separator: "\n"))
        let difference = lines.first { $0 != $1 }.map { "'\($0)' instead of '\($1)'" } ?? "another length"
        let isSame = committed == made
        #expect(
            isSame,
            "\(path) has \(difference); LOCKFLIGHT_WRITE_DOCS=1 scripts/test.py --filter ReferenceTests writes it")
    }

    /// Both layers, all hosts that examples name, and the owner who accepts a fault.
    private static let fleet = """
        version: 1
        sshConfig: none
        defaults: {user: deploy, workingDirectory: /srv/stack, baseURL: "http://127.0.0.1:8080", identityFile: /k}
        layers: [{name: data, owners: [ana]}, {name: core, owners: [ana]}]
        hosts:
          - {name: core-1, address: 192.0.2.1, layers: [data, core]}
          - {name: core-2, address: 192.0.2.2, layers: [core]}
        """

    @Test func theExampleOfEachKeyIsReadInTheSmallestFile() throws {
        let fleet = try Examples.inventory(ReferenceTests.fleet)
        for tree in KeyTree.all {
            for place in tree.places {
                for key in place.table.declarations {
                    // Its meaning says that it is not for a component, and the reader says what is.
                    if place.title == "component", key.name == "unit" { continue }
                    let text = SmallestDocument(place: place, key: key).text
                    let problems = problems(text, of: tree, fleet)
                    #expect(!key.example.isEmpty, "\(place.title).\(key.name) has no example")
                    #expect(key.meaning.hasSuffix("."), "\(place.title).\(key.name) does not say what it means")
                    #expect(
                        problems.isEmpty, "the example of \(place.title).\(key.name): \(problems)\nin\n\(text)")
                }
            }
        }
    }

    /// A key that is accepted and not read would be ignored silently.
    @Test func aValueThatNoKeyHasIsRefusedUnderEachKey() throws {
        let fleet = try Examples.inventory(ReferenceTests.fleet)
        for tree in KeyTree.all {
            for place in tree.places {
                for key in place.table.declarations {
                    let text = SmallestDocument(place: place, key: key, instead: "[[x]]").text
                    let messages = problems(text, of: tree, fleet).map(\.message)
                    #expect(
                        messages.contains { $0.contains(key.name) },
                        "\(place.title).\(key.name) is not read: \(messages)\nin\n\(text)")
                }
            }
        }
    }

    /// A script, a manifest or a signature, by how an example names it.
    private func load(_ path: String) -> String {
        if path.hasSuffix(".sha256") { return "\(String(repeating: "a", count: 64))  bin/api\n" }
        return path.hasSuffix(".sig") ? "-----BEGIN SSH SIGNATURE-----\n" : "exit 0\n"
    }

    private func problems(_ text: String, of tree: KeyTree, _ fleet: FleetInventory) -> [FileProblem] {
        if tree.name == "inventory" { return Examples.problems(inventory: text) }
        if tree.name == "policy" { return Examples.problems(policy: text) }
        do throws(FileProblems) {
            _ = try PlanFile.read(
                text: text, file: "plan.yaml", inventory: fleet, at: Examples.now, loading: load)
            return []
        } catch {
            return error.problems
        }
    }

    /// The stack's files are whole, short, and valid for any pair of versions that they allow.
    @Test func theExampleOfAStackIsReadAsItIs() throws {
        let texts = try ["fleet", "upgrade"].map { try Examples.text("examples/real-stack/\($0).yaml") }
        let fleet = try Examples.inventory(texts[0])
        let plan = try PlanFile.read(
            text: texts[1], file: "upgrade.yaml", inventory: fleet, at: Examples.now,
            versions: VersionArguments(from: "1.4.0", to: "1.5.0"))
        #expect(plan.name == "shop-1.5.0" && plan.layers.map(\.name) == fleet.layers.map(\.name))
        #expect(plan.layers.map(\.rollback.boundary) == [.oneWay, .untilFinalize, .untilFinalize, .untilFinalize])
        let lines = texts.map { $0.split(separator: "\n").count { !$0.drop { $0 == " " }.hasPrefix("#") } }
        #expect(lines[0] <= 30 && lines[1] <= 35, "\(lines)")
    }

    /// The patterns of the schemas are those of the reader's names.
    @Test func aGrammarIsWrittenAsARegularExpression() {
        #expect(KeySchema.pattern(.machine) == "^[a-z0-9][a-z0-9.-]{0,62}$")
        #expect(KeySchema.pattern(.word) == "^[A-Za-z0-9][A-Za-z0-9+.@_-]{0,62}$")
    }
}
