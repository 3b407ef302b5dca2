extension RunEvent {
    /// The stored word for the kind of event; also the only key of its JSON.
    package var kind: String {
        switch self {
        case .runStarted: "runStarted"
        case .driverAttached: "driverAttached"
        case .driverDetached: "driverDetached"
        case .requested: "requested"
        case .preflightRecorded: "preflightRecorded"
        case .captured: "captured"
        case .operationIntended: "operationIntended"
        case .operationWithdrawn: "operationWithdrawn"
        case .operationStarted: "operationStarted"
        case .operationUncertain: "operationUncertain"
        case .operationEnded: "operationEnded"
        case .operationConfirmed: "operationConfirmed"
        case .operationReverted: "operationReverted"
        case .operationTombstoned: "operationTombstoned"
        case .placementSoaked: "placementSoaked"
        case .deadlinePassed: "deadlinePassed"
        case .watchInterrupted: "watchInterrupted"
        case .hostLost: "hostLost"
        case .approvalAwaited: "approvalAwaited"
        case .evidencePruned: "evidencePruned"
        }
    }
}
