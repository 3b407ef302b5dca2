package import Ledger
package import OperatorCommands
package import RolloutEngine
package import UpgradeDomain

/// A run, for `--json`.
package struct RunDocument: Encodable {
    /// One host in one layer. `intended` is the target version, `recorded` the version that the run last proved,
    /// `observed` the versions that its components reported last.
    package struct PlacementDocument: Encodable {
        package var host: HostName
        package var layer: LayerName
        package var batch: Int
        package var phase: String
        package var phaseSinceMilliseconds: Int64
        package var attempt: Int
        package var intended: Version
        package var intendedSinceMilliseconds: Int64
        package var recorded: String
        package var recordedSinceMilliseconds: Int64
        package var observed: [ComponentName: Version]
        package var observedAtMilliseconds: Int64?
        package var repairedByHand: Bool
        package var adopted: Bool
    }
    /// Why the run stopped, and what it had touched by then.
    package struct HoldDocument: Encodable {
        package var code: String
        package var failureClass: String
        package var boundary: String
        package var completed: String?
        package var host: HostName?
        package var layer: LayerName?
        package var detail: String
        package var divergent: ItemDelta?
        /// The last lines of output of the failed script; nil if there are none.
        package var output: [String]?
        /// The result of the last recheck; nil if there was none.
        package var recheck: String?
        package var touched: [Placement]
        package var rolledBack: [Placement]
        package var untouched: [Placement]
        package var skipped: [Placement]
        package var inFlight: [OperationID]
        package var safeToVerifyInPlace: Bool
    }

    /// What the run waits for before it changes anything more.
    package struct WaitDocument: Encodable {
        /// The hold point in words; nil if what was approved counts no more.
        package var before: String?
        package var layer: LayerName
        package var host: HostName
        package var asked: [Owner]
        package var sinceMilliseconds: Int64
        /// What is missing, in words.
        package var lacking: String
    }
    /// A rollback that ignored guardrails, and that no owner has acknowledged.
    package struct OverrideDocument: Encodable {
        package var owner: Owner
        package var scope: String
        package var atMilliseconds: Int64
    }

    package var run: RunID
    package var plan: String
    package var planDigest: Digest
    package var status: String
    /// When the run last moved, if it is not at rest and has no driver.
    package var notDrivenSinceMilliseconds: Int64?
    package var boundary: String
    package var sequence: UInt64
    package var chainHead: Digest
    package var placements: [PlacementDocument]
    package var hold: HoldDocument?
    /// Who signed an approval of it that counts; nil where approvals are claims.
    package var signedBy: [Owner]?
    /// Nil unless it waits for an approval.
    package var wait: WaitDocument?
    /// Nil if there are none.
    package var unacknowledgedOverrides: [OverrideDocument]?
    /// Narrowest first; nil in proved conclusions, because they are advice that depends on the time and the build.
    package var next: [String]?
    /// The commands of ``next`` that ask for a reason; without a terminal, give it with `--reason`.
    package var nextAsksReason: [String]?

    /// - Parameters:
    ///   - report: a report that lists every placement.
    ///   - now: decides which approvals are still valid.
    ///   - lines: formats the next commands; nil leaves them out.
    package init(_ report: RunReport, at now: WallTime, _ lines: CommandLines?) {
        let overview = report.overview
        run = overview.run
        plan = overview.plan
        planDigest = overview.planDigest
        status = overview.status
        boundary = overview.boundary
        sequence = report.sequence
        chainHead = report.chainHead
        placements = report.layers.flatMap { layer in
            layer.placements.map { PlacementDocument($0, layer.version, startedAt: overview.startedAt) }
        }
        hold = overview.hold.map { HoldDocument($0, of: report.layers.flatMap(\.placements)) }
        signedBy = overview.signedBy
        wait = overview.wait.map { wait in
            WaitDocument(
                before: wait.before, layer: wait.placement.layer, host: wait.placement.host, asked: wait.asked,
                sinceMilliseconds: wait.since.milliseconds, lacking: wait.lacking)
        }
        unacknowledgedOverrides = overview.openOverrides?.map { override in
            OverrideDocument(owner: override.owner, scope: override.scope, atMilliseconds: override.at.milliseconds)
        }
        guard let lines else { return }
        let commands = overview.next(at: now).map(\.command)
        next = commands.map(lines.line)
        nextAsksReason = commands.filter(\.asksForReason).map(lines.line)
    }

    package init(_ state: RolloutState, at now: WallTime, _ lines: CommandLines?) {
        self.init(RunReport(state), at: now, lines)
    }
}

extension RunDocument.PlacementDocument {
    fileprivate init(_ own: PlacementOverview, _ version: VersionChange, startedAt: WallTime) {
        self.init(
            host: own.placement.host, layer: own.placement.layer, batch: own.batch + 1, phase: own.phase,
            phaseSinceMilliseconds: own.phaseSince.milliseconds, attempt: own.attempt, intended: version.to,
            intendedSinceMilliseconds: startedAt.milliseconds, recorded: own.recordedVersion(of: version),
            recordedSinceMilliseconds: own.recordedSince.milliseconds, observed: own.observed,
            observedAtMilliseconds: own.observedAt?.milliseconds, repairedByHand: own.isRepairedByHand,
            adopted: own.isAdopted)
    }
}

extension RunDocument.HoldDocument {
    fileprivate init(_ hold: RunOverview.Hold, of placements: [PlacementOverview]) {
        let back = PlacementPhase.rolledBack(.verified).word
        self.init(
            code: hold.code.rawValue, failureClass: hold.code.failureClass.rawValue, boundary: hold.boundary,
            completed: hold.completed, host: hold.host, layer: hold.layer, detail: hold.detail,
            divergent: hold.divergent, output: hold.output, recheck: hold.recheck,
            touched: placements.filter(\.isTouched).map(\.placement),
            rolledBack: placements.filter { $0.phase == back }.map(\.placement),
            untouched: placements.filter { !$0.isTouched && $0.phase != back }.map(\.placement),
            skipped: placements.filter { $0.phase == PlacementPhase.waiting.word }.map(\.placement),
            inFlight: hold.inFlight, safeToVerifyInPlace: hold.isSafeToVerifyInPlace)
    }
}

extension PlacementOverview {
    /// The version according to the recorded facts; "between" if they do not give one.
    package func recordedVersion(of version: VersionChange) -> String {
        switch RecordedVersion(rawValue: recorded) {
        case .source: version.from.rawValue
        case .target: version.to.rawValue
        case .between, nil: recorded
        }
    }
}
