import ArgumentParser

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "What is to change, in which order, and how it goes back.",
        discussion: "Example: lockflight plan check upgrade.yaml",
        subcommands: [PlanCheck.self, PlanAdd.self, PlanList.self, PlanShow.self, PlanDiff.self, PlanApprove.self])
}
