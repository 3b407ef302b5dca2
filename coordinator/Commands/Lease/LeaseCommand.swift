import ArgumentParser
import CoordinatorRuntime
import Ledger

struct LeaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lease", abstract: "Show and change who may drive a run and its hosts.",
        discussion: "Example: lockflight lease show",
        subcommands: [LeaseShow.self, LeaseBreak.self, LeaseAdopt.self])
}
