package import Approvals
package import Ledger
import RolloutEngine
package import UpgradeDomain

/// A statement of the ledger: whose signatures count, what it was used for, and whether it still counts.
package struct StatementEntry: Sendable {
    package enum Standing: Hashable, Sendable {
        case unsigned
        case counts
        case notYet(SignedTime)
        case ended(SignedTime)
        /// Only its rollback term is open.
        case coversRollback(until: SignedTime)
        case used([RunID])
        /// Runs have recorded it, and none of their changes needed it.
        case recorded([RunID])
        /// Open runs that have changed nothing yet.
        case held([RunID])
        case revoked(by: StatementID)
        /// In words, why it counts for nothing.
        case void(String)

        /// After the statement's name.
        package var words: String {
            switch self {
            case .unsigned: "is not signed yet"
            case .counts: "counts"
            case .notYet(let time): "counts from \(time) on"
            case .ended(let time): "ended at \(time)"
            case .coversRollback(let time): "ended; it covers a rollback until \(time)"
            case .recorded(let runs):
                "was recorded by \(runs.map(\.rawValue).joined(separator: ", ")), which did not use it so far"
            case .held(let runs): "is held for \(runs.map(\.rawValue).joined(separator: ", ")), still open"
            case .used(let runs): "was used by \(runs.map(\.rawValue).joined(separator: ", "))"
            case .revoked(let id): "was revoked by \(id.short)"
            case .void(let words): "does not count: \(words)"
            }
        }
    }

    package var stored: StoredStatement
    package var statement: Statement
    /// Whose signatures count, sorted; for a claim, the owner whom it names.
    package var people: [Owner]
    /// Why other signatures do not count.
    package var faults: [String]
    /// The runs that have used it, or recorded it and changed something.
    package var uses: [RunID]
    package var standing: Standing
    /// The hosts on which something else would run now than what it covers.
    package var changedHosts: [HostName]
}

/// The statements of the ledger, each judged for its plan, or for its run as it stands.
package struct StatementBook: Sendable {
    package let entries: [StatementEntry]
}

extension Ledger {
    /// - Parameter plan: only statements about this plan; nil for all.
    package func statementBook(ofPlan plan: Digest? = nil, at now: WallTime) throws -> StatementBook {
        let inventory = try currentInventory()
        var plans: [Digest: PlanStatements] = [:]
        var runs: [RunID: RolloutState] = [:]
        var entries: [StatementEntry] = []
        for stored in try statements(ofPlan: plan) {
            guard let digest = stored.plan, let statement = try? Statement(signedText: stored.signed.text) else {
                continue
            }
            if plans[digest] == nil, let inventory {
                let known = try self.plan(matching: digest.rawValue)
                plans[digest] = try judgedStatements(of: known, over: inventory, starter: nil, at: now)
            }
            guard let judged = plans[digest] else { continue }
            if let run = statement.run, runs[run] == nil { runs[run] = try self.state(of: run) }
            let authority = statement.run.map { runs[$0]?.authority } ?? judged.authority
            entries.append(StatementEntry(stored, statement, judged, authority, at: now))
        }
        return StatementBook(entries: entries)
    }

    /// Nil for a run that is not there, or whose record can not be followed.
    private func state(of run: RunID) throws -> RolloutState? {
        guard try quarantine(of: run) == nil, let events = try? allEvents(of: run) else { return nil }
        return RolloutState.fold(events, at: .zero)
    }
}

extension StatementEntry {
    /// - Parameter authority: of the run that it is for, or of the plan; nil if the run can not be read.
    fileprivate init(
        _ stored: StoredStatement, _ statement: Statement, _ judged: PlanStatements, _ authority: Authority?,
        at now: WallTime
    ) {
        self.stored = stored
        self.statement = statement
        uses = judged.uses.statements[statement.id] ?? []
        changedHosts = (stored.signed.leaves ?? [:]).filter { judged.leaves[$0.key] != $0.value }.keys.sorted()
        var tried = authority
        var problem: String?
        do {
            try tried?.take(stored.signed)
        } catch StatementProblem.known {
            problem = nil
        } catch {
            problem = Authority.words(of: error)
        }
        let given = tried?.given.first { $0.statement.id == statement.id }
        people = given?.people ?? []
        faults = given?.faults ?? []
        if given != nil { problem = nil }
        standing = .counts
        if stored.signed.signatures.isEmpty, stored.signed.claim == nil {
            standing = .unsigned
        } else if authority == nil {
            standing = .void("the record of its run can not be read")
        } else if let problem {
            standing = .void(problem)
        } else if let revoked = tried?.revocation(of: statement.id) {
            standing = .revoked(by: revoked)
        } else if uses.count >= statement.runs, statement.purpose == .approve {
            let users = judged.uses.users(of: statement.id)
            standing = users.isEmpty ? .recorded(uses) : .used(users)
        } else if now < statement.notBefore.time {
            standing = .notYet(statement.notBefore)
        } else if now >= statement.notAfter.time {
            let term = statement.rollback?.until
            standing =
                term.flatMap { now < $0.time ? .coversRollback(until: $0) : nil } ?? .ended(statement.notAfter)
        } else if case .heldBy(let runs)? = judged.uses.problem(with: statement), statement.purpose == .approve {
            standing = .held(runs)
        }
    }
}
