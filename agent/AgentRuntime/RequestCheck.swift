import AgentProtocol
import SafeText
import UpgradeDomain

/// Refuses requests that a valid coordinator never sends, before any other code uses them.
enum RequestCheck {
    static func check(_ request: AgentRequest) throws(Refusal) {
        switch request {
        case .hello(let hello):
            try count(hello.protocols.count, "protocols")
            try text([hello.ledger.rawValue])
            guard !hello.ledger.rawValue.isEmpty else { throw Refusal(.malformed, "the ledger has no id") }
        case .preflight(let preflight):
            try count(preflight.commands.count + preflight.requires.count + preflight.preserve.count, "paths")
            try count((preflight.keeps ?? []).reduce(0) { $0 + 1 + $1.paths.count }, "kept paths")
            try directory(preflight.workingDirectory)
            for command in preflight.commands { try check(command, AgentLimits.operationTimeoutSeconds) }
            try text(preflight.requires.map(\.path) + preflight.preserve)
            for keep in preflight.keeps ?? [] {
                try check(keep.command, AgentLimits.operationTimeoutSeconds)
                try text(keep.paths)
                try parts(keep.paths.map { RequestPart(key: "keeps", text: $0, rule: .keptPath) })
            }
            guard preflight.preserve.isEmpty || preflight.run != nil else {
                throw Refusal(.malformed, "scripts can only be preserved for a run")
            }
        case .carry(let carry):
            try count(carry.files.count, "files")
            guard carry.files.reduce(0, { $0 + $1.body.elements.count }) <= ProtocolLimits.carriedBytes else {
                throw Refusal(.limitExceeded, "the files have more than \(ProtocolLimits.carriedBytes) bytes")
            }
            guard carry.files.allSatisfy({ NameGrammar.word.accepts($0.name) && $0.sha256.isSHA256 }) else {
                throw Refusal(.malformed, "a file's name or digest is not valid")
            }
        case .capture(let capture):
            try count(capture.surfaces.count, "surfaces")
            try count(capture.secretFiles?.count ?? 0, "secrets")
            try text((capture.secretFiles ?? []) + [capture.head?.run.rawValue ?? ""])
            try directory(capture.workingDirectory)
            for surface in capture.surfaces { try check(surface.source) }
        case .start(let start):
            try count(start.guardrails.count, "guardrails")
            try directory(start.workingDirectory)
            try count(start.secretFiles?.count ?? 0, "secrets")
            try text([start.run.rawValue] + (start.secretFiles ?? []))
            try id(start.intent.id)
            let revert = start.revert.map { $0.guardrails + [$0.command] } ?? []
            for command in start.guardrails + [start.command] + revert {
                try check(command, AgentLimits.operationTimeoutSeconds)
            }
            guard (start.intent.revert == nil) == (start.revert == nil) else {
                throw Refusal(.malformed, "a revert needs both an intent and a script")
            }
            if let revert = start.intent.revert {
                try id(revert.id)
                try timeout(revert.withinSeconds, AgentLimits.confirmSeconds)
            }
        case .attach(let attach):
            try id(attach.operation)
            guard attach.fromByte >= 0 else { throw Refusal(.malformed, "fromByte is negative") }
        case .settle(let settle): try id(settle.operation)
        case .confirm(let confirm): try id(confirm.operation)
        case .journal: break
        }
    }

    /// What a plan may ask for is checked with the rules of plan files.
    private static func check(_ source: SurfaceSource) throws(Refusal) {
        try timeout(source.timeoutSeconds, AgentLimits.surfaceTimeoutSeconds)
        for (key, entries) in source.listCounts.sorted(by: { $0.key < $1.key }) { try count(entries, key) }
        try text(source.texts + source.requestParts.map(\.text))
        try parts(source.requestParts)
        switch source {
        case .command(let command): try check(command, AgentLimits.surfaceTimeoutSeconds)
        case .tcp(let tcp): try check(tcp)
        case .runtime, .unit, .container: break
        case .http(let http):
            guard (0...10).contains(http.retriesWhenLimited) else {
                throw Refusal(.limitExceeded, "\(http.retriesWhenLimited) retries; it must be 0 to 10")
            }
        }
    }

    private static func check(_ command: ScriptCommand, _ longestSeconds: Int) throws(Refusal) {
        try parts(command.requestParts)
        try timeout(command.timeoutSeconds, longestSeconds)
        for (key, entries) in command.listCounts { try count(entries, key) }
        try text(command.arguments + Array(command.environment.keys) + Array(command.environment.values))
        try text([command.workingDirectory ?? "", command.script ?? ""])
    }

    static func timeout(_ seconds: Int, _ longest: Int) throws(Refusal) {
        guard (1...longest).contains(seconds) else {
            throw Refusal(.limitExceeded, "a timeout is \(seconds) s; it must be 1 to \(longest) s")
        }
    }

    /// - Throws: what a rule says that plan files obey as well.
    static func parts(_ parts: [RequestPart]) throws(Refusal) {
        do throws(RequestFault) {
            try RequestPart.check(parts)
        } catch {
            throw Refusal(.malformed, error.words)
        }
    }

    private static func count(_ entries: Int, _ what: String) throws(Refusal) {
        guard entries <= ProtocolLimits.listEntries else {
            throw Refusal(.limitExceeded, "\(entries) \(what), more than \(ProtocolLimits.listEntries)")
        }
    }

    private static func directory(_ path: String) throws(Refusal) {
        try text([path])
        guard path.begins(with: "/") else { throw Refusal(.malformed, "the working directory is not an absolute path") }
    }

    private static func id(_ id: OperationID) throws(Refusal) {
        try text([id.rawValue])
        guard !id.rawValue.isEmpty else { throw Refusal(.malformed, "the operation has no id") }
    }

    /// Text that is passed to the kernel as a C string cannot contain a zero byte.
    static func text(_ texts: [String]) throws(Refusal) {
        guard !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw Refusal(.malformed, "a text contains a zero byte")
        }
    }
}
