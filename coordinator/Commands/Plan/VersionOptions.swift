import ArgumentParser
import PlanFiles
import UpgradeDomain

/// The versions of a plan whose file leaves them out.
struct VersionOptions: ParsableArguments {
    @Option(name: .long, help: "The version to move from, where the file leaves it out.") var from: String?
    @Option(name: .long, help: "The version to move to, where the file leaves it out.") var to: String?

    var arguments: VersionArguments {
        VersionArguments(from: from.map { Version($0) }, to: to.map { Version($0) })
    }
}
