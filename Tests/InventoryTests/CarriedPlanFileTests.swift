import ContentDigest
import FileReading
import Inventory
import PlanFiles
import Testing
import UpgradeDomain

/// Files that come with a plan.
struct CarriedPlanFileTests {
    private static let scripts = [
        "checks/orders.sh": "echo 3\n", "more/orders.sh": "echo 4\n", "lag.sql": "select 1;\n",
    ]

    private struct Missing: Error, CustomStringConvertible {
        var description: String
    }

    private func plan(_ files: String, _ change: (String) -> String = { $0 }) throws(FileProblems) -> Plan {
        let example = (try? Examples.text("examples/plan.yaml")) ?? ""
        let surface = "evidence:\n  - {name: orders, command: {run: [sh, \"${file.orders.sh}\"]}}\n"
        let text = change(example.replacing("evidence:\n", with: "files: \(files)\n" + surface, maxReplacements: 1))
        let inventory = (try? Examples.inventory()) ?? FleetInventory(layers: [], hosts: [])
        return try PlanFile.read(
            text: text, file: "plan.yaml", inventory: inventory, at: Examples.now,
            loading: { path in
                guard let script = CarriedPlanFileTests.scripts[path] else {
                    throw Missing(description: "\(path) can not be read")
                }
                return script
            })
    }

    private func messages(_ files: String, _ change: (String) -> String = { $0 }) -> [String] {
        do throws(FileProblems) {
            _ = try plan(files, change)
            return []
        } catch {
            return error.problems.map(\.message)
        }
    }

    @Test func aFileIsPartOfThePlanAndOfItsDigest() throws {
        let plan = try plan("[checks/orders.sh]")
        let text = "echo 3\n"
        #expect(
            plan.files == [CarriedFile(name: "orders.sh", sha256: Digest.sha256(of: Array(text.utf8)), text: text)])
        #expect(try Digest.canonical(of: plan) != Digest.canonical(of: try self.plan("[more/orders.sh]")))
        let host = try #require(try Examples.inventory().hosts.first { $0.name == "core-1" })
        let layer = try #require(plan.layer("core"))
        let values = PlaceholderValues(host: host, layer: layer, of: plan, run: "r")
        #expect(values.expand("${file.orders.sh}") == plan.files?[0].mark)
    }

    @Test func whatIsWrongWithAFileIsSaid() {
        #expect(messages("[nowhere.sh]") == ["nowhere.sh can not be read"])
        #expect(
            messages("[checks/orders.sh, more/orders.sh]") == ["two files of the plan are named orders.sh"])
        #expect(messages("[\"checks/my orders\"]") == ["'my orders' is not a valid file name"])
        for path in ["/etc/passwd", "../orders.sh", "checks/../../orders.sh"] {
            #expect(messages("[\(path)]").first == "'\(path)' is not in the folder of the plan file")
        }
        #expect(messages("[checks/orders.sh, lag.sql]") == ["no command names '${file.lag.sql}'"])
        #expect(messages("[lag.sql]").contains { $0.hasPrefix("'${file.orders.sh}' has no value on host data-1 and ") })
    }

    @Test func whatChangesAHostIsNotCarried() {
        let found = messages("[checks/orders.sh]") { text in
            text.replacing(
                "- name: redeploy\n",
                with: "- name: carried\n      run: [sh, \"${file.orders.sh}\"]\n    - name: redeploy\n",
                maxReplacements: 1)
        }
        #expect(
            found.contains {
                $0.hasSuffix("changes its hosts with '${file.orders.sh}', a file that is carried to judge")
            }, "\(found)")
    }

    /// The digest of a stored plan comes from its JSON.
    @Test func aPlanWithoutFilesIsStoredAsBefore() throws {
        let plan = try Examples.plan(try Examples.text("examples/plan.yaml"))
        #expect(plan.files == nil)
        #expect(!String(decoding: try CanonicalJSON.encode(plan), as: UTF8.self).contains("\"files\""))
    }
}
