import SSHSignatures
import SafeText
package import UpgradeDomain

/// Why a text is no statement, or why a statement does not count for a run.
package enum StatementProblem: Error, Hashable, Sendable {
    case unreadable(SignedTextProblem)
    case malformed(String)
    case otherLedger(LedgerID)
    case otherPlan(Digest)
    case otherName(String)
    case otherRun(RunID)
    case otherBoundary(String)
    case newerPolicy(Int, than: Int)
    case wrongRoot
    case otherReleases
    case foreignLeaf(HostName)
    case notCovered(HostName)
    case notYet(SignedTime)
    case ended(SignedTime)
    case tooLongValid(seconds: Int64, limit: Int64)
    case revoked(by: StatementID)
    case usedUp(runs: [RunID])
    /// Runs that are open have recorded it, and may still use it.
    case heldBy(runs: [RunID])
    case otherText(StatementID)
    case known(StatementID)
    case nobody(String)
    case unsigned
    case signedWhereClaimed

    /// In words, after the statement's name: `does not count: ...`.
    package var words: String {
        switch self {
        case .unreadable(let problem): "it can not be read: \(problem.words)"
        case .malformed(let detail): detail
        case .otherLedger(let ledger): "it is for the ledger \(ledger)"
        case .otherPlan(let plan): "it is for the plan \(plan.short)"
        case .otherName(let name): "it calls the plan \(name), which has another name"
        case .otherRun(let run): "it is for the run \(run)"
        case .otherBoundary(let boundary): "it is for \(boundary), where the run does not stand"
        case .newerPolicy(let policy, let own):
            "it was written under policy version \(policy), and the run knows \(own)"
        case .wrongRoot: "its hosts do not have the root that is signed"
        case .otherReleases: "it names other release manifests than the plan"
        case .foreignLeaf(let host): "what it covers for \(host) is not what would run there"
        case .notCovered(let host): "it does not cover \(host)"
        case .notYet(let time): "it counts from \(time) on"
        case .ended(let time): "it ended at \(time)"
        case .tooLongValid(let seconds, let limit):
            "it is valid for \(seconds) s, and break-glass for \(limit) s at most"
        case .revoked(let id): "it was revoked by \(id.short)"
        case .usedUp(let runs): "it was used by \(runs.map(\.rawValue).joined(separator: ", "))"
        case .heldBy(let runs): "it is held for \(runs.map(\.rawValue).joined(separator: ", ")), still open"
        case .otherText(let id): "another statement has the id \(id.short)"
        case .known(let id): "\(id.short) is recorded already, with these signatures"
        case .nobody(let detail): detail
        case .unsigned: "it is not signed, and a policy asks for signatures"
        case .signedWhereClaimed: "it is signed, and no policy says whose signatures count"
        }
    }
}

extension Statement {
    /// The text that is signed: canonical JSON.
    ///
    /// - Throws: `StatementProblem` for a value that would not be read back as the same.
    package func signedText() throws -> String {
        let text = try SignedText.write(self)
        _ = try Statement(signedText: text)
        return text
    }

    /// Reads exactly what ``signedText()`` writes.
    package init(signedText text: String) throws(StatementProblem) {
        self = try Statement.known.result(for: Array(text.utf8)) { () throws(StatementProblem) in
            try Statement.readAnew(text)
        }
    }

    /// By their bytes: two strings of other bytes may be equal.
    private static let known = LastResults<[UInt8], Statement>(limit: SignedText.rememberedCount)

    private static func readAnew(_ text: String) throws(StatementProblem) -> Statement {
        let statement: Statement
        do throws(SignedTextProblem) {
            statement = try SignedText.read(Statement.self, from: text, format: Statement.currentFormat)
        } catch {
            throw .unreadable(error)
        }
        if let problem = statement.malformation { throw .malformed(problem) }
        return statement
    }

    /// What is wrong with it whatever run it is for; nil if nothing is.
    private var malformation: String? {
        guard id.isWellFormed else { return "its id is not 32 hexadecimal digits" }
        guard hostsRoot.isSHA256, plan.isSHA256, releases.allSatisfy(\.isSHA256) else {
            return "one of its digests is not a SHA-256"
        }
        guard policy >= 0, hosts >= 0, (1...1_000).contains(runs), (1...1_000).contains(attempts) else {
            return "a number of it is out of range"
        }
        guard (rollback?.attempts).map({ (1...1_000).contains($0) }) ?? true else {
            return "a number of it is out of range"
        }
        guard notBefore < notAfter else { return "it ends before it begins" }
        guard Set(layers).count == layers.count, Set(named ?? []).count == named?.count ?? 0 else {
            return "it names a layer or a host twice"
        }
        return purposeMalformation
    }

    private var purposeMalformation: String? {
        let isForRun: Bool
        switch purpose {
        case .approve:
            isForRun = false
            guard action == .upgrade else { return "its purpose is not that of a \(action.rawValue)" }
        case .recover:
            isForRun = true
            guard [.rerun, .rollback, .retire, .signOff, .finalize].contains(action) else {
                return "its purpose is not that of a \(action.rawValue)"
            }
        case .breakGlass:
            isForRun = true
            guard action == .breakGlass else { return "its purpose is not that of a \(action.rawValue)" }
        case .acknowledge:
            isForRun = true
            guard action == .acknowledge else { return "its purpose is not that of a \(action.rawValue)" }
        case .revoke:
            isForRun = false
            guard action == .revoke, let revokes, revokes.isWellFormed else { return "it does not say what it revokes" }
        case .policy, .release: return "its purpose is that of another document"
        }
        if isForRun, run == nil || named == nil { return "it does not name its run and its hosts" }
        if !isForRun, run != nil || named != nil { return "it names a run or hosts, which only a recovery does" }
        if purpose != .revoke, revokes != nil { return "it revokes something, which is not its purpose" }
        return nil
    }
}
