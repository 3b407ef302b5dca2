import ContentDigest
import Ledger
import RolloutEngine
import UpgradeDomain

/// An exported file, and the events of one as lines: whatever they contain, they are refused or fold into a run.
enum BundleProperties {
    static func check(_ input: [UInt8]) {
        if let bundle = try? CanonicalJSON.decode(EvidenceBundle.self, from: input) { _ = try? bundle.prove() }
        let events = input.split(separator: 0x0a).compactMap {
            try? CanonicalJSON.stored(RunEvent.self, from: Array($0))
        }
        let recorded = events.enumerated().map { index, event in
            RecordedEvent(
                sequence: UInt64(index + 1), recordedAt: WallTime(clamping: 1_800_000_000_000 + Int64(index)),
                event: event,
                hash: Digest("sha256:\(index)"))
        }
        guard let state = RolloutState.fold(recorded, at: .zero) else { return }
        _ = (state.status, state.boundary, state.boundaryRecord, state.next(at: .zero, WallTime(clamping: 0)))
        for action in [RequestedAction.resume, .abort, .finalize, .rollback(scope: .all, breakGlass: nil)] {
            _ = state.refusal(of: action)
        }
    }
}
