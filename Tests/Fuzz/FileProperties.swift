import Approvals
import FileReading
import Foundation
import Inventory
import PlanFiles
import PolicyFiles
import UpgradeDomain

/// A file gives a value, or problems that each say where it is, what is wrong, and what to write instead.
enum FileProperties {
    /// The most problems that are reported for one file.
    private static let problemCount = 100

    private static let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "inventory/examples")

    /// A machine without any ssh_config.
    private static let answers = SSHConfigAnswers(configFile: nil, defaults: SSHConfigAnswer("user me\nport 22\n"))

    /// The inventory that the plans are for.
    private static let inventory: FleetInventory = {
        do {
            let text = try String(contentsOf: examples.appending(path: "inventory.yaml"), encoding: .utf8)
            return try InventoryFile.read(text: text, file: "inventory.yaml").resolved(by: answers)
        } catch {
            fatalError("the example inventory can not be read: \(error)")
        }
    }()

    static func checkInventory(_ input: [UInt8]) {
        do throws(FileProblems) {
            let draft = InventoryFile.read(text: String(decoding: input, as: UTF8.self), file: "input.yaml")
            let fleet = try draft.resolved(by: answers)
            require(!fleet.hosts.isEmpty && !fleet.layers.isEmpty, "an empty inventory")
        } catch {
            check(error)
        }
    }

    static func checkPlan(_ input: [UInt8]) {
        do throws(FileProblems) {
            let plan = try PlanFile.read(
                text: String(decoding: input, as: UTF8.self), file: "input.yaml", inventory: inventory,
                at: WallTime(clamping: 1))
            require(!plan.layers.isEmpty && !plan.guardrails.isEmpty && !plan.reviews.isEmpty, "an empty plan")
        } catch {
            check(error)
        }
    }

    static func checkPolicy(_ input: [UInt8]) {
        do throws(FileProblems) {
            let policy = try PolicyFile.read(
                text: String(decoding: input, as: UTF8.self), file: "input.yaml", ledger: "l-1", version: 1,
                issuedAt: WallTime(clamping: 1_000))
            require(!policy.people.isEmpty && !policy.layers.isEmpty, "an empty policy")
            guard let text = try? policy.text(), let read = try? Policy.read(text) else {
                fatalError("a policy that a file describes has no text")
            }
            require(read == policy, "the text of a policy says something else than its file")
        } catch {
            check(error)
        }
    }

    private static func check(_ problems: FileProblems) {
        require((1...problemCount).contains(problems.problems.count), "\(problems.problems.count) problems")
        for problem in problems.problems {
            require(
                problem.line >= 1 && !problem.message.isEmpty && !problem.remedy.isEmpty
                    && problem.file == "input.yaml",
                "an incomplete problem: \(problem)")
        }
    }
}
