import ArgumentParser
import Ledger
import OperatorCommands
import RunViews
import UpgradeDomain

struct LedgerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Create, verify and repair the ledger.",
        discussion: "Example: lockflight ledger verify",
        subcommands: [
            LedgerInit.self, LedgerVerify.self, LedgerPrune.self, LedgerQuarantine.self, LedgerRebuild.self,
            LedgerReconstructed.self,
            LedgerWitness.self,
        ])
}
