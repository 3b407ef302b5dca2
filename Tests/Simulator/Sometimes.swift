/// Situations that must occur over all seeds, or the simulation proves less than it claims.
enum Sometimes: String, CaseIterable {
    case coordinatorDied, diedBetweenIntentAndSend, diedDuringRollback, deposed, twoCoordinators
    case connectionCut, duplicateAfterTheEnd, staleEpochRefused, hostDownAtSend, lateRequestRefused
    case rebootDuringOperation, supervisorDied, hostDiskFull, ledgerDiskFull, ledgerDiskFullWhileHeld
    case heldWithOperationsInFlight, hostWentBackByItself, confirmed, clockJumped
    case recheck, rerun, rerunFromAStep, rollback, retire, resumed, paused, aborted, cancelled, copyDrove, adopted,
        quarantined
    case watchInterrupted
    case heldAtAHoldPoint, approvalLapsed, approvalUsedUp, wrongStatementRecorded, signedRecovery, breakGlass
    case endedVerified, endedRolledBack, finalized, tombstoned, interrupted
}
