package import UpgradeDomain

/// What an agent answers.
package enum AgentReply: Hashable, Sendable {
    case hello(HelloReply)
    case preflight(PreflightReply)
    /// The files are on the host.
    case carried
    case surface(SurfaceReply)
    /// The end of a capture.
    case captured
    case started(id: OperationID)
    case running(id: OperationID)
    case output(OutputReply)
    case ended(OperationRecord)
    case tombstoned(id: OperationID)
    /// The change stays: the host does not roll back by itself.
    case confirmed(id: OperationID)
    case journal(JournalReply)
    case refused(Refusal)
}

/// A reply with the number of its request. On the wire: `{"re":1,"kind":"started","body":{...}}`.
package struct ReplyFrame: Hashable, Sendable {
    package var re: UInt32
    package var reply: AgentReply

    package init(re: UInt32, reply: AgentReply) {
        self.re = re
        self.reply = reply
    }
}

/// The agent's identity, the host's owner, and the protocol version in use.
package struct HelloReply: Codable, Hashable, Sendable {
    package var protocolVersion: Int
    package var agentVersion: String
    package var identity: AgentIdentity
    /// The ledger that owns the host; nil if none does yet.
    package var owner: LedgerID?
    package var highestEpoch: Epoch
    /// The token that came with that epoch; nil if there was none, and in protocol 1.
    package var token: LeaseToken?
    package var bootID: String
    /// `x86_64`, `aarch64`.
    package var architecture: String
    package var hostTime: WallTime

    package init(
        protocolVersion: Int, agentVersion: String, identity: AgentIdentity, owner: LedgerID?,
        highestEpoch: Epoch, token: LeaseToken? = nil, bootID: String, architecture: String, hostTime: WallTime
    ) {
        self.protocolVersion = protocolVersion
        self.agentVersion = agentVersion
        self.identity = identity
        self.owner = owner
        self.highestEpoch = highestEpoch
        self.token = token
        self.bootID = bootID
        self.architecture = architecture
        self.hostTime = hostTime
    }
}

/// What a host lacks for a run, and facts about the host.
package struct PreflightReply: Codable, Hashable, Sendable {
    /// Executables and scripts that do not exist or cannot be read.
    package var missingScripts: [String]
    package var missingPaths: [String]
    /// What exists but is not as it should be, in words.
    package var differingPaths: [String]
    /// Free space in the working directory or in the agent's state folder, whichever is less.
    package var freeDiskMebibytes: Int64
    package var hostTime: WallTime
    /// Which of the commands' paths accounts other than root and the agent's can write, and who; nil for none, and in
    /// protocol 1.
    package var exposedPaths: [String]?

    package init(
        missingScripts: [String], missingPaths: [String], differingPaths: [String] = [], freeDiskMebibytes: Int64,
        hostTime: WallTime, exposedPaths: [String]? = nil
    ) {
        self.missingScripts = missingScripts
        self.missingPaths = missingPaths
        self.differingPaths = differingPaths
        self.freeDiskMebibytes = freeDiskMebibytes
        self.hostTime = hostTime
        self.exposedPaths = exposedPaths
    }
}

/// The raw answer of one surface.
package struct SurfaceReply: Codable, Hashable, Sendable {
    package var name: SurfaceName
    package var durationMilliseconds: Int64
    package var hostTime: WallTime
    /// The HTTP status or exit code; nil if `failure` says why there is none.
    package var resultCode: Int?
    /// The body, or the command's standard output; base64 on the wire.
    package var body: Bytes
    package var truncated: Bool
    /// The end of a command's standard error; nil if there is none, and before protocol 3.
    package var errors: Bytes?
    /// The Content-Type of an HTTP answer.
    package var contentType: String?
    /// SHA-256 of the script of a command surface.
    package var instrumentDigest: Digest?
    package var failure: UnknownReason?

    package init(
        name: SurfaceName, durationMilliseconds: Int64, hostTime: WallTime, resultCode: Int?, body: Bytes,
        truncated: Bool, errors: Bytes? = nil, contentType: String? = nil, instrumentDigest: Digest? = nil,
        failure: UnknownReason? = nil
    ) {
        self.errors = errors
        self.name = name
        self.durationMilliseconds = durationMilliseconds
        self.hostTime = hostTime
        self.resultCode = resultCode
        self.body = body
        self.truncated = truncated
        self.contentType = contentType
        self.instrumentDigest = instrumentDigest
        self.failure = failure
    }
}

/// A piece of an operation's output.
package struct OutputReply: Codable, Hashable, Sendable {
    package var operation: OperationID
    package var fromByte: Int64
    package var bytes: Bytes
    /// How many bytes right before these are no longer kept; nil for none, and before protocol 3.
    package var droppedBytes: Int64?

    package init(operation: OperationID, fromByte: Int64, bytes: Bytes, droppedBytes: Int64? = nil) {
        self.operation = operation
        self.fromByte = fromByte
        self.bytes = bytes
        self.droppedBytes = droppedBytes
    }
}

/// All operations that a host has in its journal.
package struct JournalReply: Codable, Hashable, Sendable {
    package var entries: [JournalEntry]
    /// The newest head that came with a capture, for each of the last runs; nil for none, and in protocol 1.
    package var heads: [RunHead]?

    package init(entries: [JournalEntry], heads: [RunHead]? = nil) {
        self.entries = entries
        self.heads = heads
    }
}

/// A host's journal entry of one operation.
package struct JournalEntry: Codable, Hashable, Sendable {
    package enum State: Codable, Hashable, Sendable {
        case running
        case ended(OperationOutcome)
        case tombstoned
    }
    package var operation: OperationID
    package var state: State
    /// Nil for a tombstone.
    package var planDigest: Digest?
    package var chainHead: Digest?

    package init(operation: OperationID, state: State, planDigest: Digest?, chainHead: Digest?) {
        self.operation = operation
        self.state = state
        self.planDigest = planDigest
        self.chainHead = chainHead
    }
}

/// A request that was not carried out. It changed nothing.
package struct Refusal: Codable, Hashable, Sendable, Error {
    /// Callers decide by the code, never by the detail.
    package enum Code: String, Codable, Hashable, Sendable, CaseIterable {
        case malformed, unknownVerb, helloFirst, noCommonProtocol
        /// Another ledger owns the host.
        case ownedElsewhere
        /// A newer coordinator has driven the host.
        case staleEpoch
        /// The session sent hello without an epoch.
        case readOnly
        /// The ID was run or tombstoned before.
        case operationSeen
        /// The connection is not newer than the change that it would confirm.
        case notNewer
        /// Another operation is running, or a process of an earlier one is still alive.
        case busy
        case unknownOperation
        case diskFull
        case limitExceeded
        case internalFailure

        /// Whether this refusal proves that the start did not begin. Other refusals may answer a request that arrived
        /// twice, or say nothing about what happened before.
        package var provesNothingBegan: Bool {
            switch self {
            case .busy, .diskFull, .readOnly, .limitExceeded, .ownedElsewhere, .helloFirst, .noCommonProtocol,
                .staleEpoch:
                true
            case .operationSeen, .notNewer, .malformed, .unknownVerb, .unknownOperation, .internalFailure: false
            }
        }
    }
    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension ReplyFrame: Codable {
    private enum Key: String, CodingKey { case re, kind, body }
    private enum Kind: String, Codable {
        case hello, preflight, carried, surface, captured, started, running, output, ended, tombstoned, confirmed,
            journal,
            refused
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        re = try container.decode(UInt32.self, forKey: .re)
        func body<Body: Decodable>(_ type: Body.Type) throws -> Body { try container.decode(type, forKey: .body) }
        switch try container.decode(Kind.self, forKey: .kind) {
        case .hello: reply = .hello(try body(HelloReply.self))
        case .preflight: reply = .preflight(try body(PreflightReply.self))
        case .surface: reply = .surface(try body(SurfaceReply.self))
        case .carried: reply = .carried
        case .captured: reply = .captured
        case .started: reply = .started(id: try body(OperationID.self))
        case .running: reply = .running(id: try body(OperationID.self))
        case .output: reply = .output(try body(OutputReply.self))
        case .ended: reply = .ended(try body(OperationRecord.self))
        case .tombstoned: reply = .tombstoned(id: try body(OperationID.self))
        case .confirmed: reply = .confirmed(id: try body(OperationID.self))
        case .journal: reply = .journal(try body(JournalReply.self))
        case .refused: reply = .refused(try body(Refusal.self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(re, forKey: .re)
        func encode(_ kind: Kind, _ body: (some Encodable)?) throws {
            try container.encode(kind, forKey: .kind)
            try container.encodeIfPresent(body, forKey: .body)
        }
        switch reply {
        case .hello(let body): try encode(.hello, body)
        case .preflight(let body): try encode(.preflight, body)
        case .surface(let body): try encode(.surface, body)
        case .carried: try encode(.carried, OperationID?.none)
        case .captured: try encode(.captured, OperationID?.none)
        case .started(let body): try encode(.started, body)
        case .running(let body): try encode(.running, body)
        case .output(let body): try encode(.output, body)
        case .ended(let body): try encode(.ended, body)
        case .tombstoned(let body): try encode(.tombstoned, body)
        case .confirmed(let body): try encode(.confirmed, body)
        case .journal(let body): try encode(.journal, body)
        case .refused(let body): try encode(.refused, body)
        }
    }
}
