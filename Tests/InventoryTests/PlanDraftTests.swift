import Inventory
import PlanFiles
import Testing
import UpgradeDomain

/// A first plan file is one that the reader accepts, whatever a person typed.
struct PlanDraftTests {
    private func draft(_ change: (inout PlanDraft) -> Void = { _ in }) -> PlanDraft {
        var draft = PlanDraft(
            name: "shop",
            evidence: [.http("health", url: "${baseURL}/health"), .tcp(port: 5432), .unit("api@1.service")],
            version: .url("${baseURL}/version", pointer: "/version"), path: .http("path", url: "${baseURL}/order"),
            redeploy: "./redeploy.sh ${to}", rollback: "./redeploy.sh ${from}", check: "./check.sh",
            guardrail: "./may-change.sh", layers: ["data", "core", "edge"])
        change(&draft)
        return draft
    }

    private func plan(_ draft: PlanDraft, seen: [String: String] = [:]) throws -> Plan {
        try PlanFile.read(
            text: draft.text(seen: seen), file: "plan.yaml", inventory: try Examples.inventory(), at: Examples.now,
            versions: VersionArguments(from: "1.4.0", to: "1.5.0"))
    }

    @Test func itIsAPlanForEveryLayer() throws {
        let plan = try plan(draft())
        #expect(plan.name == "shop-1.5.0" && plan.layers.map(\.name) == ["data", "core", "edge"])
        #expect(plan.evidence.map(\.name) == ["health", "port-5432", "unit-api-1"])
        #expect(plan.layers[0].steps[0].command.arguments == ["./redeploy.sh", "${to}"])
        #expect(plan.layers[0].rollback.command?.arguments == ["./redeploy.sh", "${from}"])
    }

    @Test func aCommandLineThatNeedsAShellGetsOne() throws {
        let plan = try plan(
            draft {
                $0.check = "test \"$(cat VERSION)\" = ${to} && echo 'a \\ b'"
                $0.version = .command("cat VERSION")
            })
        #expect(plan.materialization.arguments == ["sh", "-c", "test \"$(cat VERSION)\" = ${to} && echo 'a \\ b'"])
        guard case .command(let command) = plan.layers[0].components[0].observe else {
            Issue.record("no command")
            return
        }
        #expect(command.arguments == ["cat", "VERSION"])
    }

    /// What a host answers is in comments, and is none of the plan.
    @Test func whatWasSeenIsAComment() throws {
        let seen = [
            "health": "200\nname: evil\u{7}", "version": "# }]: 1.4.0", "path": String(repeating: "x", count: 500),
        ]
        let text = draft().text(seen: seen)
        #expect(text.contains("   # seen: 200\n") && !text.contains("evil"))
        #expect(try plan(draft(), seen: seen) == plan(draft()))
        #expect(text.split(separator: "\n").allSatisfy { $0.utf8.count < 250 })
    }
}
