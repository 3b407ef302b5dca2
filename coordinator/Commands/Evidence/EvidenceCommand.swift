import ArgumentParser
import RolloutEngine
import RunViews
import UpgradeDomain

struct EvidenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evidence", abstract: "Show, compare, export and verify what was seen on the hosts.",
        discussion: "Example: lockflight evidence diff --host core-2",
        subcommands: [
            EvidenceTry.self, EvidenceShow.self, EvidenceDiff.self, EvidenceExport.self, EvidenceVerify.self,
        ])
}
