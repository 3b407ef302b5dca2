package import UpgradeDomain

/// What the coordinator may ask of an agent: a closed list. Any other verb is refused.
package enum AgentRequest: Hashable, Sendable {
    /// Always first: agrees on a protocol version and, with an epoch, claims the right to change the host.
    case hello(HelloRequest)
    case preflight(PreflightRequest)
    /// Brings files of the plan, which later commands of any session may name. Answers `carried`.
    case carry(CarryRequest)
    /// Captures surfaces one after the other. Answers a `surface` for each, then `captured`.
    case capture(CaptureRequest)
    /// Records the intent durably, answers `started`, and runs the operation detached from this session.
    case start(StartRequest)
    /// Streams an operation's output from an offset until it ends, then answers `ended`; or returns only the output
    /// available now.
    case attach(AttachRequest)
    /// Answers the record of an operation, or `running`; or makes sure that its ID can never run and answers
    /// `tombstoned`.
    case settle(SettleRequest)
    /// Reports that the host was reached after a change, over a connection that is newer than the change. Answers
    /// `confirmed`; or `running` with the ID of the rollback that the host has begun; or `running` with the operation's
    /// own ID while that has not ended.
    case confirm(ConfirmRequest)
    /// Lists the journal.
    case journal

    /// The first protocol version with everything that this request depends on. An older agent would ignore it.
    package var protocolVersion: Int {
        switch self {
        case .capture(let capture):
            max(capture.surfaces.map(\.source.protocolVersion).max() ?? 1, capture.secretFiles == nil ? 1 : 2)
        case .start(let start): start.secretFiles == nil ? 1 : 2
        case .preflight(let preflight):
            preflight.continues != nil ? 3 : preflight.keeps == nil ? 1 : preflight.run == nil ? 3 : 2
        case .attach(let attach): attach.follows == nil ? 1 : 3
        case .carry: 3
        case .hello, .settle, .confirm, .journal: 1
        }
    }
}

extension SurfaceSource {
    /// The first protocol version whose agents read it.
    var protocolVersion: Int {
        switch self {
        case .http, .command, .runtime: 1
        case .tcp, .unit, .container: 3
        }
    }
}

/// A request with the number that its replies carry. On the wire: `{"id":1,"verb":"hello","body":{...}}`.
package struct RequestFrame: Hashable, Sendable {
    package var id: UInt32
    package var request: AgentRequest

    package init(id: UInt32, request: AgentRequest) {
        self.id = id
        self.request = request
    }
}

/// The first request of a connection: who drives, and which protocol versions it speaks.
package struct HelloRequest: Codable, Hashable, Sendable {
    /// The versions the coordinator speaks, best first.
    package var protocols: [Int]
    package var ledger: LedgerID
    /// The fencing number of the run's lease; nil for a session that only reads.
    package var epoch: Epoch?
    /// The token of that lease; nil from builds that had none.
    package var token: LeaseToken?
    /// Take over the host from another ledger, or from a copy of this one. This is an operator's recorded decision.
    package var takeOver: Bool

    package init(
        protocols: [Int] = ProtocolLimits.versions, ledger: LedgerID, epoch: Epoch?, token: LeaseToken? = nil,
        takeOver: Bool = false
    ) {
        self.protocols = protocols
        self.ledger = ledger
        self.epoch = epoch
        self.token = token
        self.takeOver = takeOver
    }
}

/// Asks whether a host has what a run needs. Changes nothing on the host.
package struct PreflightRequest: Codable, Hashable, Sendable {
    package var run: RunID?
    /// The host's working directory, absolute.
    package var workingDirectory: String
    /// Commands whose executable and script must exist.
    package var commands: [ScriptCommand]
    /// Paths that must exist with the required content; relative to the working directory unless absolute.
    package var requires: [RollbackArtifact]
    /// Scripts whose present content must be kept for the run, each as a single file: protocol 1's form of `keeps`.
    package var preserve: [String]
    /// What must be kept for the rollback commands, or only tried if there is no run; nil for nothing.
    package var keeps: [KeepOrder]?
    /// Whether this preflight of the host has asked about another working directory before, whose kept files stay; nil for
    /// no.
    package var continues: Bool?

    package init(
        run: RunID?, workingDirectory: String, commands: [ScriptCommand], requires: [RollbackArtifact],
        preserve: [String], keeps: [KeepOrder]? = nil, continues: Bool? = nil
    ) {
        self.run = run
        self.workingDirectory = workingDirectory
        self.commands = commands
        self.requires = requires
        self.preserve = preserve
        self.keeps = keeps
        self.continues = continues
    }
}

/// Brings files of a plan to the host, where they are kept by their digests.
package struct CarryRequest: Codable, Hashable, Sendable {
    /// One file. Its body is what has the digest.
    package struct File: Codable, Hashable, Sendable {
        package var name: String
        package var sha256: Digest
        package var body: Bytes

        package init(name: String, sha256: Digest, body: Bytes) {
            self.name = name
            self.sha256 = sha256
            self.body = body
        }
    }
    package var files: [File]

    package init(files: [File]) { self.files = files }
}

/// Asks for the answers of surfaces, in order.
package struct CaptureRequest: Codable, Hashable, Sendable {
    package var workingDirectory: String
    package var surfaces: [SurfaceRequest]
    /// Files on hosts that hold secrets of the plan. The content of those that exist is masked in every answer. Nil for
    /// none.
    package var secretFiles: [String]?
    /// Kept by the host as a witness. Only a session that drives may send one. An agent of protocol 1 ignores it.
    package var head: RunHead?

    package init(
        workingDirectory: String, surfaces: [SurfaceRequest], secretFiles: [String]? = nil, head: RunHead? = nil
    ) {
        self.workingDirectory = workingDirectory
        self.surfaces = surfaces
        self.secretFiles = secretFiles
        self.head = head
    }
}

/// The head of a run's chain in its ledger.
package struct RunHead: Codable, Hashable, Sendable {
    package var run: RunID
    package var chainHead: Digest

    package init(run: RunID, chainHead: Digest) {
        self.run = run
        self.chainHead = chainHead
    }
}

/// One surface to capture, with its placeholders already replaced.
package struct SurfaceRequest: Codable, Hashable, Sendable {
    package var name: SurfaceName
    package var source: SurfaceSource

    package init(name: SurfaceName, source: SurfaceSource) {
        self.name = name
        self.source = source
    }
}

/// Asks to carry out one operation. If it is sent again with the same ID, it does not start a second time.
package struct StartRequest: Codable, Hashable, Sendable {
    package var intent: OperationIntent
    package var run: RunID
    /// The head of the ledger's chain at the intent, kept in the journal as a witness.
    package var chainHead: Digest
    package var workingDirectory: String
    /// Run in order right before the command. The first one that does not exit 0 refuses the operation.
    package var guardrails: [ScriptCommand]
    package var command: ScriptCommand
    /// Run the copy of the script kept at preflight if the original has changed since.
    package var usesPreservedScript: Bool
    /// What the host runs by itself if the change is not confirmed in time; present if the intent has a revert.
    package var revert: RevertScript?
    /// Files on hosts that hold secrets of the plan. The content of those that exist is masked in the output. Nil for
    /// none.
    package var secretFiles: [String]?

    package init(
        intent: OperationIntent, run: RunID, chainHead: Digest, workingDirectory: String,
        guardrails: [ScriptCommand], command: ScriptCommand, usesPreservedScript: Bool, revert: RevertScript? = nil,
        secretFiles: [String]? = nil
    ) {
        self.intent = intent
        self.run = run
        self.chainHead = chainHead
        self.workingDirectory = workingDirectory
        self.guardrails = guardrails
        self.command = command
        self.usesPreservedScript = usesPreservedScript
        self.revert = revert
        self.secretFiles = secretFiles
    }
}

/// The rollback that a host runs by itself.
package struct RevertScript: Codable, Hashable, Sendable {
    package var guardrails: [ScriptCommand]
    package var command: ScriptCommand

    package init(guardrails: [ScriptCommand], command: ScriptCommand) {
        self.guardrails = guardrails
        self.command = command
    }
}

/// Asks for an operation's output from a byte offset on, and for its record once it has ended.
package struct AttachRequest: Codable, Hashable, Sendable {
    package var operation: OperationID
    package var fromByte: Int64
    /// False asks only for what exists now: a running operation is answered with `running` at once. Nil waits for its
    /// end.
    package var follows: Bool?

    package init(operation: OperationID, fromByte: Int64, follows: Bool = true) {
        self.operation = operation
        self.fromByte = fromByte
        self.follows = follows ? nil : false
    }
}

/// Asks for the outcome of an operation. An ID that is not known can never run afterwards.
package struct SettleRequest: Codable, Hashable, Sendable {
    package var operation: OperationID

    package init(operation: OperationID) { self.operation = operation }
}

/// Confirms to a host that it was reached after a change, so that it does not roll back by itself.
package struct ConfirmRequest: Codable, Hashable, Sendable {
    package var operation: OperationID

    package init(operation: OperationID) { self.operation = operation }
}

extension RequestFrame: Codable {
    private enum Key: String, CodingKey { case id, verb, body }
    private enum Verb: String, Codable, CaseIterable {
        case hello, preflight, carry, capture, start, attach, settle, confirm, journal
    }

    /// The closed list of verbs.
    package static let verbs = Verb.allCases.map(\.rawValue)

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        id = try container.decode(UInt32.self, forKey: .id)
        switch try container.decode(Verb.self, forKey: .verb) {
        case .hello: request = .hello(try container.decode(HelloRequest.self, forKey: .body))
        case .preflight: request = .preflight(try container.decode(PreflightRequest.self, forKey: .body))
        case .carry: request = .carry(try container.decode(CarryRequest.self, forKey: .body))
        case .capture: request = .capture(try container.decode(CaptureRequest.self, forKey: .body))
        case .start: request = .start(try container.decode(StartRequest.self, forKey: .body))
        case .attach: request = .attach(try container.decode(AttachRequest.self, forKey: .body))
        case .settle: request = .settle(try container.decode(SettleRequest.self, forKey: .body))
        case .confirm: request = .confirm(try container.decode(ConfirmRequest.self, forKey: .body))
        case .journal: request = .journal
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(id, forKey: .id)
        func encode(_ verb: Verb, _ body: (some Encodable)?) throws {
            try container.encode(verb, forKey: .verb)
            try container.encodeIfPresent(body, forKey: .body)
        }
        switch request {
        case .hello(let body): try encode(.hello, body)
        case .preflight(let body): try encode(.preflight, body)
        case .carry(let body): try encode(.carry, body)
        case .capture(let body): try encode(.capture, body)
        case .start(let body): try encode(.start, body)
        case .attach(let body): try encode(.attach, body)
        case .settle(let body): try encode(.settle, body)
        case .confirm(let body): try encode(.confirm, body)
        case .journal: try encode(.journal, HelloRequest?.none)
        }
    }
}
