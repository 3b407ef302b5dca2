import ArgumentParser

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Manage plans: what changes, in which order, and how it is rolled back.",
        discussion: "Example: lockflight plan check upgrade.yaml",
        subcommands: [
            PlanInit.self, PlanCheck.self, PlanAdd.self, PlanList.self, PlanShow.self, PlanDiff.self, PlanApprove.self,
        ])
}
