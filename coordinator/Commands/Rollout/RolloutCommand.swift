import ArgumentParser

struct RolloutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollout", abstract: "Start, watch, pause, resume and end runs.",
        discussion: "Example: lockflight rollout start upgrade-1.5.0 --watch",
        subcommands: [
            RolloutStart.self, RolloutWatch.self, RolloutPause.self, RolloutResume.self, RolloutAbort.self,
            RolloutRebind.self, RolloutRetire.self, RolloutFinalize.self, RolloutCancel.self,
        ])
}
