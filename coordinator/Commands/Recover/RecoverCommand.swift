import ArgumentParser
import Ledger
import RolloutEngine
import RunViews
import UpgradeDomain

struct RecoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover", abstract: "Read the boundary record of a held run, and answer it.",
        discussion: """
            The options are printed narrowest first; a wider one than the narrowest needs a --reason, which is recorded.
            Example: lockflight recover
            """,
        subcommands: [
            RecoverShow.self, RecoverRecheck.self, RecoverRerun.self, RecoverSignOff.self, RecoverApprove.self,
        ],
        defaultSubcommand: RecoverShow.self)
}
