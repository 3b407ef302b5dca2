package import Approvals
package import RolloutEngine
import SafeText
package import UpgradeDomain

extension RunEvent {
    /// The event, for people.
    package var sentence: String {
        switch self {
        case .runStarted(let definition):
            "run started: \(definition.plan.name) over \(counted(definition.hosts.count, "host")), approved by "
                + definition.approverWords
        case .driverAttached(let driver):
            "driver attached: \(driver.user)@\(driver.machine) epoch \(driver.epoch)"
                + (driver.build.map { ", Lockflight \($0.version)" } ?? "")
        case .driverDetached(let reason): "driver detached: \(reason)"
        case .requested(let request):
            "\(request.by) \(request.verb) \(request.sentence)" + (request.reason.map { ": \($0)" } ?? "")
        case .preflightRecorded(let record):
            "preflight of \(record.host): "
                + (record.problems.isEmpty ? "ok" : record.problems.map(\.detail).joined(separator: "; "))
                + (record.exposedPaths.map { "; other accounts can write \($0.joined(separator: ", "))" } ?? "")
        case .captured(let record): "captured \(record.capture.subject) for \(record.purpose.sentence)"
        case .operationIntended(let intent): "intended \(intent.id)"
        case .operationWithdrawn(let id, let reason): "withdrew \(id): \(reason)"
        case .operationStarted(let id): "started \(id)"
        case .operationUncertain(let id, let detail): "uncertain \(id): \(detail)"
        case .operationEnded(let record):
            "ended \(record.id): \(record.outcome.sentence)"
                + (record.scriptReplaced == true
                    ? "; its script was replaced or modified while it was being started" : "")
                + (record.copyVanished == true ? "; the preserved copy that it ran from was removed meanwhile" : "")
        case .operationConfirmed(let id): "confirmed \(id) over a new connection"
        case .operationReverted(let id, let record):
            "reverted \(id) by its host, unconfirmed: \(record.outcome.sentence)"
        case .operationTombstoned(let id): "tombstoned \(id): it never ran"
        case .placementSoaked(let placement, _): "\(placement) stayed healthy for its soak"
        case .deadlinePassed(let record):
            "\(record.placement) passed its deadline for \(record.kind.words): \(record.waitingFor)"
        case .watchInterrupted(let interruption):
            interruption.sentence
        case .evidencePruned(let pruning):
            "pruned by \(pruning.by), \(pruning.reason): \(counted(pruning.answers, "answer")), \(counted(pruning.bytes, "byte"))"
        case .approvalAwaited(let wait):
            "waits for an approval" + (wait.holdPoint.map { " before \($0)" } ?? "") + ": \(wait.lacking)"
        case .hostLost(let loss): "lost \(loss.host): \(loss.code.rawValue): \(loss.detail)"
        }
    }
}

extension Approval {
    /// How many runs it serves, and until when a run must start its first change.
    package var service: String {
        let count = runs.map { counted($0, "run") } ?? "any number of runs"
        return count + (until.map { ", changing before \($0.rfc3339)" } ?? "")
    }
}

extension OperationIntent {
    /// Such as `step redeploy of core-2/core, attempt 1`.
    package var sentence: String {
        let what =
            switch action {
            case .step(let name): "step \(name)"
            case .rollback: "the rollback"
            }
        return "\(what) of \(placement), attempt \(attempt)"
    }
}

extension WatchInterruption {
    package var sentence: String {
        placement.map { "\($0) was not watched for \(seconds) s: its soak or its deadline starts again" }
            ?? "nothing was watched for \(seconds) s, because the driver was stopped or blocked: soaks and deadlines start again"
    }
}

extension PlacementPhase {
    /// The phase, for people; the same in every view.
    ///
    /// - Parameters:
    ///   - failureClass: the class of the failure, if the placement failed.
    ///   - isHeld: whether the run is held, so that nothing warms up.
    package func words(_ failureClass: FailureClass?, isHeld: Bool) -> String {
        switch self {
        case .waiting: "waiting"
        case .checked: "checked"
        case .changing: "changing"
        case .warmingUp: isHeld ? "not verified" : "warming up"
        case .soaking: "soaking"
        case .soaked: "verified"
        case .failed: failureClass?.words ?? "failed"
        case .rollbackPending: "to roll back"
        case .rollingBack: "rolling back"
        case .provingRollback: "proving"
        case .rolledBack(.verified): "back, verified"
        case .rolledBack(.unverified): "back, unverified"
        case .rolledBack(.failed): "rollback failed"
        case .rolledBack(.refused): "rollback refused"
        case .retired: "retired"
        }
    }
}

extension PlacementState {
    /// Its phase, for people.
    package func phaseWords(isHeld: Bool) -> String {
        // What runs again in a held run does warm up.
        phase.words(phase == .failed ? problem?.code.failureClass : nil, isHeld: isHeld && rerun == nil)
    }
}

extension DeadlineRecord.Kind {
    /// What had to happen before the deadline.
    fileprivate var words: String {
        switch self {
        case .healthy: "being healthy"
        case .progress: "making progress"
        case .rollbackHealthy: "returning to its earlier state"
        case .approval: "its first change"
        }
    }
}

extension Request {
    fileprivate var verb: String { if case .present = action { "presented" } else { "requested" } }

    /// What is requested.
    package var sentence: String {
        // A signed statement says by itself who gives the approval.
        if case .approveRecovery(let approval) = action { return "\(approval.sentence), \(claimWords(by: by))" }
        return action.sentence
    }
}

extension RunDefinition {
    /// Who approved its start, for people.
    package var approverWords: String {
        guard let authority else {
            return approvals.isEmpty
                ? "nobody yet"
                : approvals.map { "\($0.owner) (\(claimWords(by: $0.claimedBy)))" }.joined(separator: ", ")
        }
        let people = Set(Authority(of: self).given.flatMap(\.people)).sorted().map(\.rawValue)
        let version = "policy version \(authority.policies.count)"
        return people.isEmpty ? "nobody yet (\(version))" : "\(people.joined(separator: ", ")) (signed, \(version))"
    }
}

extension RequestedAction {
    package var sentence: String {
        switch self {
        case .pause: "a pause"
        case .resume: "a resume"
        case .abort: "an abort"
        case .rollback(let scope, let owner):
            "a rollback of \(scope.description)" + (owner.map { ", with its guardrails overridden by \($0)" } ?? "")
        case .recheck(let host): "a recheck of \(host)"
        case .rerun(let host, let owner, let step):
            "a rerun on \(host)" + (step.map { " from step \($0)" } ?? "")
                + (owner.map { ", signed off by \($0)" } ?? "")
        case .signOff(let hosts, let owner):
            "a sign-off of \(hosts.map(\.rawValue).joined(separator: ", ")) by \(owner)"
        case .rebind(let host, let address, let port, _): "a rebind of \(host) to \(address):\(port)"
        case .retire(let host, let owner): "the retirement of \(host), decided by \(owner)"
        case .finalize: "the end of the rollback window"
        case .cancel: "a cancel of the run, which changed nothing"
        case .supersede(let run): "a takeover by the run \(run)"
        case .approveRecovery(let approval): approval.sentence
        case .present(let statement): statement.sentence
        }
    }
}

extension SignedStatement {
    /// What it permits, and by whose word.
    package var sentence: String {
        guard let statement = try? Statement(signedText: text) else {
            return (try? Policy.read(text)).map { "version \($0.version) of the policy" }
                ?? "a text that this build can not read"
        }
        let by =
            claim.map(\.words)
            ?? counted(signatures.count, "signature")
        return "\(statement.words) (\(statement.id.short), \(by))"
    }
}

extension Statement {
    /// Such as `the approval of an upgrade of db, app on 12 hosts`.
    package var words: String {
        let layers = layers.map(\.rawValue).joined(separator: ", ")
        let points = holdPoints.isEmpty ? "" : ", at \(holdPoints.map(\.spelled).joined(separator: ", "))"
        let hosts = named.map { $0.map(\.rawValue).joined(separator: ", ") } ?? counted(self.hosts, "host")
        switch purpose {
        case .approve, .recover: return "the approval of the \(action.rawValue) of \(layers) on \(hosts)\(points)"
        case .breakGlass: return "break-glass for a rollback of \(layers) on \(hosts)"
        case .acknowledge: return "the acknowledgement of overridden guardrails on \(hosts)"
        case .revoke: return "the revocation of \(revokes?.short ?? "nothing")"
        case .policy, .release: return purpose.rawValue
        }
    }
}

extension RecoveryApproval {
    package var sentence: String {
        let names = hosts.map(\.rawValue).joined(separator: ", ")
        return "\(owner)'s approval of a \(action.rawValue) on \(names) at \(boundary)"
    }
}

extension CapturePurpose {
    package var sentence: String {
        switch self {
        case .baseline: "the baseline"
        case .drift: "the drift check"
        case .verification(let attempt): "verification, attempt \(attempt)"
        case .boundary(let boundary): "the boundary \(boundary)"
        case .postFailure: "the failed boundary"
        case .beforeRollback: "the state before rollback"
        case .rollbackVerification: "the proof of the rollback"
        case .rollbackProof: "the proof of the whole rollback"
        case .recheck: "a recheck"
        case .reproof: "proof after a restart"
        }
    }
}

extension FailureClass {
    /// The class, for people.
    package var words: String {
        switch self {
        case .timedOut: "timed out"
        case .failed, .unreachable, .refused, .interrupted, .inconclusive, .skipped: rawValue
        }
    }
}

extension SurfaceReading {
    /// Its answer, in one line.
    package var sentence: String {
        let code = resultCode.map { "  result \($0)" } ?? ""
        let why = unknown.map { "  unknown: \($0.code.rawValue): \($0.detail)" } ?? ""
        return "\(name)  (\(role.rawValue), \(durationMilliseconds) ms)\(code)\(why)"
    }
}

extension ComparedItem {
    /// Surface, item, before, after and verdict, as a row of a table.
    package var cells: [String] {
        ["\(surface)", item, before ?? "-", after ?? "-", words]
    }

    private var words: String {
        guard isDivergent else {
            // It passes only because of a waiver.
            if verdict == .stillUnhealthy { return "\(verdict.rawValue), waived" }
            // For example a process, which is a new one after each start.
            return verdict == .same && before != after ? "holds" : verdict.rawValue
        }
        let wanted = expected.flatMap { $0 == after ? nil : ", expected \($0)" } ?? ""
        return "\(verdict.rawValue)\(wanted)"
    }
}
