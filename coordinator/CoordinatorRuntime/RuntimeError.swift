public import UpgradeDomain

/// Why a run could not be driven.
public enum RuntimeError: Error, Hashable, Sendable, CustomStringConvertible {
    case noSuchRun(RunID)
    case appendStarved(RunID)

    public var description: String {
        switch self {
        case .noSuchRun(let run): "the ledger has no run \(run)"
        case .appendStarved(let run):
            "other processes kept writing to run \(run); nothing new was started; try `lockflight rollout resume \(run)`"
        }
    }
}
