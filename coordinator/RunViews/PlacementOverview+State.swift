package import Ledger
package import RolloutEngine
package import UpgradeDomain

extension PlacementOverview {
    package init?(_ placement: Placement, in state: RolloutState) {
        guard let own = state.placements[placement], let place = state.place(of: placement) else { return nil }
        self.init(
            position: place.position, placement: placement, batch: place.batch, phase: own.phase.word,
            failureClass: own.phase == .failed ? own.problem?.code.failureClass.rawValue : nil,
            isPressing: own.phase.isPressing, phaseSince: own.phaseSince, attempt: own.attempt, isTouched: own.touched,
            recorded: own.recorded.rawValue, recordedSince: own.recordedSince, observed: own.observed,
            observedAt: own.latest?.takenAt, isRepairedByHand: own.repairedByHand, isAdopted: own.adopted)
    }
}
