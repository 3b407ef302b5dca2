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
            The approval is bound to the boundary that the run is held at, to the hosts and to the action. A claim ends when
            the run continues. Where a policy rules the run, the approval is signed: with --key, with a key that the
            ssh-agent holds, or elsewhere by the commands that are printed.
            Example: lockflight recover approve rollback --host core-2 --as ana
            """,
        subcommands: [
            RecoverApproveRollback.self, RecoverApproveRerun.self, RecoverApproveSignOff.self,
            RecoverApproveRetire.self, RecoverApproveFinalize.self, RecoverApproveBreakGlass.self,
        ])
}
