import ArgumentParser
import PlanFiles
import UpgradeDomain

/// The versions of a plan whose file leaves them out.
struct VersionOptions: ParsableArguments {
    @Option(name: .long, help: "The version to move from, where the file leaves it out.") var from: String?
    @Option(name: .long, help: "The version to move to, where the file leaves it out.") var to: String?

    func validate() throws {
        for (flag, version) in [("--from", from), ("--to", to)] {
            guard let version, !Version(version).isOneWord else { continue }
            let words = version.isEmpty ? "is empty" : "has a space or an end of line"
            throw ValidationError("\(flag) \(words). Give one exact version such as 1.5.0.")
        }
    }

    var arguments: VersionArguments {
        VersionArguments(from: from.map { Version($0) }, to: to.map { Version($0) })
    }
}
