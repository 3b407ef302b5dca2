import ArgumentParser
import RolloutEngine
import RunViews
import UpgradeDomain

struct EvidenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evidence", abstract: "What was seen on the hosts, and what changed.",
        discussion: "Example: lockflight evidence diff --host core-2",
        subcommands: [
            EvidenceTry.self, EvidenceShow.self, EvidenceDiff.self, EvidenceExport.self, EvidenceVerify.self,
        ])
}
