package import OperatorCommands
package import UpgradeDomain

/// Why a run could not be driven.
package enum RuntimeError: Error, Hashable, Sendable, CustomStringConvertible {
    case noSuchRun(RunID)
    case appendStarved(RunID)
    /// Operations may be in progress on hosts that this build can not ask.
    case protocolNotSupported(RunID, drivenBy: CoordinatorBuild, build: CoordinatorBuild)

    /// The next command, if there is one.
    package var next: OperatorCommand? {
        switch self {
        case .noSuchRun: .status(run: nil)
        case .appendStarved(let run): .resume(run: run)
        case .protocolNotSupported: nil
        }
    }

    package var description: String {
        switch self {
        case .noSuchRun(let run): "the ledger has no run \(run)"
        case .appendStarved(let run):
            "other processes kept writing to run \(run); nothing new was started"
        case .protocolNotSupported(let run, let before, let own):
            "run \(run) was driven by Lockflight \(before.version), which speaks protocol \(before.protocols) with agents; "
                + "this is \(own.version) and speaks \(own.protocols). Nothing was changed; continue with \(before.version), or "
                + "with a version that speaks both"
        }
    }
}
