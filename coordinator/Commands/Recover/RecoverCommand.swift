import ArgumentParser
import Ledger
import RolloutEngine
import RunViews
import UpgradeDomain

struct RecoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover", abstract: "Show the boundary record of a held run, and recover the run.",
        discussion: """
            The options are printed narrowest first. Any other than the narrowest needs a --reason, which is recorded.
            Example: lockflight recover
            """,
        subcommands: [
            RecoverShow.self, RecoverRecheck.self, RecoverRerun.self, RecoverSignOff.self, RecoverApprove.self,
        ],
        defaultSubcommand: RecoverShow.self)
}
