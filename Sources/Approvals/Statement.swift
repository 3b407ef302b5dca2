import SafeText
package import UpgradeDomain

/// What a signature is for. Each purpose has an SSHSIG namespace of its own, so that a signature for one is none for another.
package enum Purpose: String, Codable, Hashable, Sendable, CaseIterable {
    /// A run of a plan: its forward changes, and the rollback that it declares.
    case approve
    /// One recovery of one run, or the end of one.
    case recover
    /// A rollback without guardrails.
    case breakGlass = "break-glass"
    /// An owner has seen that a guardrail was overridden.
    case acknowledge
    /// An earlier statement counts no more.
    case revoke
    /// A version of the policy document.
    case policy
    /// A list of a release's files.
    case release

    /// As in `ssh-keygen -Y sign -n NAMESPACE`.
    package var namespace: String { "\(rawValue).v1@lockflight" }
}

/// What a statement permits.
package enum StatementAction: String, Codable, Hashable, Sendable, CaseIterable {
    case upgrade, rerun, rollback, retire, finalize, acknowledge, revoke
    case signOff = "sign-off"
    case breakGlass = "break-glass"
}

/// A point in time as it is signed: RFC 3339 in UTC with whole seconds, so that a person can read it.
package struct SignedTime: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package let time: WallTime

    /// Fractions of a second are cut off.
    package init(_ time: WallTime) {
        self.time = WallTime(clamping: time.milliseconds - time.milliseconds % 1_000)
    }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let time = WallTime(rfc3339: text), time.rfc3339.isSpelled(text) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "'\(text)' is not a time in UTC with whole seconds"))
        }
        self.init(time)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(time.rfc3339)
    }

    package var description: String { time.rfc3339 }

    package static func < (left: SignedTime, right: SignedTime) -> Bool { left.time < right.time }
}

/// What somebody permits, for signing: everything that it is bound to, readable as it is.
package struct Statement: Codable, Hashable, Sendable {
    /// Until when, and how often for a placement, an approval of a run covers its rollback to the declared boundary.
    package struct RollbackTerm: Codable, Hashable, Sendable {
        package var until: SignedTime
        package var attempts: Int

        package init(until: SignedTime, attempts: Int) {
            self.until = until
            self.attempts = attempts
        }
    }

    package static let currentFormat = 1

    /// The version of this shape.
    package var format: Int
    package var purpose: Purpose
    package var id: StatementID
    package var ledger: LedgerID
    /// The version of the policy under which it was written; 0 where none exists.
    package var policy: Int
    package var action: StatementAction
    package var plan: Digest
    package var planName: String
    /// The root of the tree over the leaves of the hosts that it covers (``HostTree``), and how many they are.
    package var hostsRoot: Digest
    package var hosts: Int
    /// The digests of the plan's release manifests, sorted.
    package var releases: [Digest]
    /// The layers that it covers, in plan order.
    package var layers: [LayerName]
    /// The hold points that it opens, in plan order.
    package var holdPoints: [HoldPoint]
    package var issuedAt: SignedTime
    /// It counts from this time on.
    package var notBefore: SignedTime
    /// It counts before this time.
    package var notAfter: SignedTime
    /// How many runs it serves.
    package var runs: Int
    /// How many attempts it permits for each placement.
    package var attempts: Int
    package var rollback: RollbackTerm?
    /// For everything but the approval of a run: the run.
    package var run: RunID?
    /// For a recovery: where the run stands.
    package var boundary: String?
    /// For everything but the approval of a run: the hosts by name, in inventory order.
    package var named: [HostName]?
    /// For a rerun: the step to start from; nil for the failed step.
    package var from: StepName?
    /// For a revocation: what counts no more.
    package var revokes: StatementID?
    package var reason: String?

    /// A statement that serves one run with two attempts for a placement, unless its fields are changed.
    package init(
        _ purpose: Purpose, _ action: StatementAction, id: StatementID, ledger: LedgerID, policy: Int, plan: Digest,
        planName: String, hostsRoot: Digest, hosts: Int, layers: [LayerName], issuedAt: WallTime, notAfter: WallTime
    ) {
        format = Statement.currentFormat
        self.purpose = purpose
        self.action = action
        self.id = id
        self.ledger = ledger
        self.policy = policy
        self.plan = plan
        self.planName = planName
        self.hostsRoot = hostsRoot
        self.hosts = hosts
        releases = []
        self.layers = layers
        holdPoints = []
        self.issuedAt = SignedTime(issuedAt)
        notBefore = SignedTime(issuedAt)
        self.notAfter = SignedTime(notAfter)
        runs = 1
        attempts = 2
    }
}
