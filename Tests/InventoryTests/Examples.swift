import Approvals
import FileReading
import Foundation
import Inventory
import PlanFiles
import PolicyFiles
import UpgradeDomain

/// The commented examples, which double as valid files to break.
enum Examples {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "inventory")

    static func text(_ name: String) throws -> String {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }

    /// A time before the examples' waivers expire.
    static let now = WallTime(clamping: 1_800_000_000_000)

    /// A machine without any ssh_config, whose user is `me`.
    static let silence = SSHConfigAnswers(configFile: nil, defaults: SSHConfigAnswer("user me\nport 22\n"))

    /// - Parameter text: the commented example's unless given.
    static func inventory(_ text: String? = nil) throws -> FleetInventory {
        let text = try text ?? Examples.text("examples/inventory.yaml")
        return try InventoryFile.read(text: text, file: "inventory.yaml").resolved(by: silence)
    }

    static func plan(_ text: String) throws -> Plan {
        try PlanFile.read(text: text, file: "plan.yaml", inventory: try inventory(), at: now)
    }

    /// The problems of an inventory; empty if there are none.
    static func problems(inventory text: String, _ answers: SSHConfigAnswers = silence) -> [FileProblem] {
        do throws(FileProblems) {
            _ = try InventoryFile.read(text: text, file: "inventory.yaml").resolved(by: answers)
            return []
        } catch {
            return error.problems
        }
    }

    static func policy(_ text: String) throws(FileProblems) -> Policy {
        try PolicyFile.read(text: text, file: "policy.yaml", ledger: "l-0", version: 1, issuedAt: now)
    }

    /// The problems of a policy; empty if there are none.
    static func problems(policy text: String) -> [FileProblem] {
        do throws(FileProblems) {
            _ = try policy(text)
            return []
        } catch {
            return error.problems
        }
    }

    static func problems(plan text: String) throws -> [FileProblem] {
        let inventory = try inventory()
        do throws(FileProblems) {
            _ = try PlanFile.read(text: text, file: "plan.yaml", inventory: inventory, at: now)
            return []
        } catch {
            return error.problems
        }
    }
}

extension String {
    /// The number of the first line that contains a text, from 1.
    func line(of text: String) -> Int {
        split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0.contains(text) }.map { $0 + 1 } ?? 0
    }
}
