import ArgumentParser
import Ledger
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RecoverApprove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Approve a recovery that somebody else will run.",
        discussion: """
            The approval is bound to the boundary that the run is held at, to the hosts and to the action. It ends when
            the run continues.
            Example: lockflight recover approve rollback --host core-2 --as ana
            """,
        subcommands: [RecoverApproveRollback.self, RecoverApproveRerun.self])
}
