import ContentDigest
import GRDB
import OperatorCommands
import SafeText
package import UpgradeDomain

/// A version of the policy as stored in the ledger.
package struct StoredPolicy: Codable, Hashable, Sendable {
    package var version: Int
    /// SHA-256 of its text. That of version 1 is what people compare before they trust the policy.
    package var fingerprint: Digest
    package var signed: SignedStatement
    package var addedBy: String
    package var addedAt: WallTime
}

/// A statement as stored in the ledger.
package struct StoredStatement: Codable, Hashable, Sendable {
    package var id: StatementID
    /// The plan that it is about; nil if it is about none.
    package var plan: Digest?
    /// Its signatures are in the order in which they were added.
    package var signed: SignedStatement
    package var madeBy: String
    package var madeAt: WallTime
}

extension Ledger {
    /// Stores the next version of the policy, in one transaction. The caller has verified its signatures.
    ///
    /// - Throws: `conflict` if the current version is not the one before.
    package func addPolicy(
        _ signed: SignedStatement, version: Int, by user: String, at time: WallTime
    ) throws(LedgerError) {
        try check(signed, as: "version \(version) of the policy")
        let signatures = try LedgerError.canonicalBytes(of: signed.signatures, as: "signatures of the policy")
        try write("store version \(version) of the policy") { db in
            let current = try Int.fetchOne(db, sql: "SELECT max(version) FROM policies") ?? 0
            guard version == current + 1 else {
                throw LedgerError(
                    .conflict,
                    current == 0
                        ? "The ledger has no policy yet, so version \(version) can not be added; version 1 is the first."
                        : "The ledger has version \(current) of the policy, so only version \(current + 1) can be added, "
                            + "not version \(version).", next: current == 0 ? nil : .showPolicy(version: nil))
            }
            try db.execute(
                sql: """
                    INSERT INTO policies (version, digest, text, signatures, added_by, added_at_milliseconds)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    version, Digest.sha256(of: Array(signed.text.utf8)).rawValue, signed.text,
                    String(decoding: signatures, as: UTF8.self), user, time.milliseconds,
                ])
        }
    }

    /// All versions of the policy, from version 1 on; empty where approvals are claims.
    package func policies() throws(LedgerError) -> [StoredPolicy] {
        try read("read the policy") { db in
            try Row.fetchAll(db, sql: "SELECT * FROM policies ORDER BY version").map(StoredPolicy.init(row:))
        }
    }

    /// Stores a statement with its signatures. A statement that is already stored only gets the signatures that it does
    /// not have yet.
    ///
    /// - Parameter plan: the plan that it is about; nil if it is about none.
    /// - Throws: `contradiction` if another statement has the same id; `unknownPlan`.
    package func addStatement(
        _ signed: SignedStatement, id: StatementID, plan: Digest?, by user: String, at time: WallTime
    ) throws(LedgerError) {
        try check(signed, as: "statement \(id.short)")
        let leaves = try signed.leaves.map { leaves throws(LedgerError) in
            String(decoding: try encode(leaves, as: "leaves of the statement \(id.short)"), as: UTF8.self)
        }
        let claim = try signed.claim.map { claim throws(LedgerError) in
            String(decoding: try encode(claim, as: "claim of the statement \(id.short)"), as: UTF8.self)
        }
        try write("store the statement \(id.short)") { db in
            if let plan, try !db.hasPlan(plan) { throw LedgerError.unknownPlan(plan) }
            let stored = try String.fetchOne(
                db, sql: "SELECT text FROM statements WHERE id = ?", arguments: [id.rawValue])
            if let stored, !stored.isSpelled(signed.text) {
                throw LedgerError(
                    .contradiction,
                    "The ledger has another statement with the id \(id); nothing was recorded.")
            }
            if stored == nil {
                try db.execute(
                    sql: """
                        INSERT INTO statements
                            (id, digest, text, plan_digest, leaves, claim, made_by, made_at_milliseconds)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        id.rawValue, Digest.sha256(of: Array(signed.text.utf8)).rawValue, signed.text, plan?.rawValue,
                        leaves, claim, user, time.milliseconds,
                    ])
            }
            for signature in signed.signatures { _ = try db.insert(signature, of: id, by: user, at: time) }
        }
    }

    /// Adds a signature to a stored statement. The caller has verified it.
    ///
    /// - Returns: false if the statement has it already.
    /// - Throws: `unknownStatement`; `tooLarge` if the statement has as many as a statement may have.
    package func addSignature(
        _ signature: String, to id: StatementID, by user: String, at time: WallTime
    ) throws(LedgerError) -> Bool {
        try check(SignedStatement(text: "", signatures: [signature]), as: "statement \(id.short)")
        return try write("add a signature to the statement \(id.short)") { db in
            let isKnown = try Bool.fetchOne(
                db, sql: "SELECT count(*) > 0 FROM statements WHERE id = ?", arguments: [id.rawValue])
            guard isKnown == true else { throw LedgerError.unknownStatement(id.rawValue) }
            return try db.insert(signature, of: id, by: user, at: time)
        }
    }

    /// The statements about a plan, in the order in which they were made; nil for all.
    package func statements(ofPlan plan: Digest? = nil) throws(LedgerError) -> [StoredStatement] {
        try read("list the statements") { db in
            let rows =
                try plan.map {
                    try Row.fetchAll(
                        db, sql: "SELECT * FROM statements WHERE plan_digest = ? ORDER BY number",
                        arguments: [$0.rawValue])
                } ?? Row.fetchAll(db, sql: "SELECT * FROM statements ORDER BY number")
            return try rows.map { try db.statement($0) }
        }
    }

    /// Finds a statement from an operator's text: its id, or the first digits of it.
    ///
    /// - Throws: `unknownStatement`; `ambiguous` if several statements match.
    package func statement(matching text: String) throws(LedgerError) -> StoredStatement {
        guard text.utf8.count >= LedgerLimits.prefixCharacters else { throw LedgerError.unknownStatement(text) }
        return try read("look up the statement '\(text)'") { db in
            let found = try Row.fetchAll(
                db, sql: "SELECT * FROM statements WHERE substr(id, 1, length(?)) = ? ORDER BY number",
                arguments: [text, text])
            guard let first = found.first else { throw LedgerError.unknownStatement(text) }
            guard found.count == 1 else {
                let ids = found.map { ($0.name("id") as StatementID).rawValue }.joined(separator: ", ")
                throw LedgerError(
                    .ambiguous, "'\(text)' matches \(counted(found.count, "statement")); use more digits: \(ids).")
            }
            return try db.statement(first)
        }
    }

    private func check(_ signed: SignedStatement, as what: String) throws(LedgerError) {
        let problem: String? =
            if signed.text.utf8.count > LedgerLimits.signedBytes {
                "\(counted(signed.text.utf8.count, "byte")), more than the limit of \(LedgerLimits.signedBytes)"
            } else if signed.signatures.count > LedgerLimits.signaturesPerText {
                "\(counted(signed.signatures.count, "signature")), more than the limit of \(LedgerLimits.signaturesPerText)"
            } else if signed.signatures.contains(where: { $0.utf8.count > LedgerLimits.signatureBytes }) {
                "a signature of more than \(LedgerLimits.signatureBytes) bytes"
            } else {
                nil
            }
        if let problem { throw LedgerError(.tooLarge, "The \(what) has \(problem); nothing was recorded.") }
    }
}

extension Database {
    /// False if the statement has the signature already.
    fileprivate func insert(
        _ signature: String, of statement: StatementID, by user: String, at time: WallTime
    ) throws -> Bool {
        let known =
            try Bool.fetchOne(
                self, sql: "SELECT count(*) > 0 FROM statement_signatures WHERE statement = ? AND signature = ?",
                arguments: [statement.rawValue, signature]) ?? false
        if known { return false }
        let count =
            try Int.fetchOne(
                self, sql: "SELECT count(*) FROM statement_signatures WHERE statement = ?",
                arguments: [statement.rawValue]) ?? 0
        guard count < LedgerLimits.signaturesPerText else {
            throw LedgerError(
                .tooLarge,
                "The statement \(statement.short) has \(count) signatures, which is the limit; nothing was recorded.")
        }
        try execute(
            sql: """
                INSERT INTO statement_signatures (statement, signature, added_by, added_at_milliseconds)
                VALUES (?, ?, ?, ?)
                """,
            arguments: [statement.rawValue, signature, user, time.milliseconds])
        return true
    }

    fileprivate func statement(_ row: Row) throws -> StoredStatement {
        let id: StatementID = row.name("id")
        let signatures = try String.fetchAll(
            self, sql: "SELECT signature FROM statement_signatures WHERE statement = ? ORDER BY number",
            arguments: [id.rawValue])
        let leaves = try (row["leaves"] as String?).map {
            try CanonicalJSON.stored([HostName: Digest].self, from: Array($0.utf8))
        }
        let claim = try (row["claim"] as String?).map {
            try CanonicalJSON.stored(StatementClaim.self, from: Array($0.utf8))
        }
        return StoredStatement(
            id: id, plan: (row["plan_digest"] as String?).map { Digest($0) },
            signed: SignedStatement(text: row["text"], signatures: signatures, claim: claim, leaves: leaves),
            madeBy: row["made_by"], madeAt: row.time("made_at_milliseconds"))
    }

    /// What is wrong with the stored texts that people sign: an edit, or a missing version of the policy.
    func statementFaults() throws -> [LedgerFault] {
        var faults: [LedgerFault] = []
        let policies = try Row.fetchAll(self, sql: "SELECT version, digest, text FROM policies ORDER BY version")
        for (index, row) in policies.enumerated() {
            let version: Int = row["version"]
            if version != index + 1 {
                faults.append(
                    LedgerFault(
                        code: .documentChanged,
                        message: "version \(index + 1) of the policy is missing; the next one is \(version)"))
                break
            }
            if !row.isTextOfDigest {
                faults.append(
                    LedgerFault(
                        code: .documentChanged, message: "version \(version) of the policy does not match its digest"))
            }
        }
        let statements = try Row.fetchCursor(self, sql: "SELECT id, digest, text FROM statements ORDER BY number")
        while let row = try statements.next() {
            guard !row.isTextOfDigest else { continue }
            faults.append(
                LedgerFault(
                    code: .documentChanged,
                    message: "the statement \((row.name("id") as StatementID).short) does not match its digest"))
        }
        return faults
    }
}

extension Row {
    fileprivate var isTextOfDigest: Bool {
        Digest.sha256(of: Array((self["text"] as String).utf8)) == (name("digest") as Digest)
    }
}

extension StoredPolicy {
    fileprivate init(row: Row) throws {
        let signatures: String = row["signatures"]
        self.init(
            version: row["version"], fingerprint: row.name("digest"),
            signed: SignedStatement(
                text: row["text"], signatures: try CanonicalJSON.stored([String].self, from: Array(signatures.utf8))),
            addedBy: row["added_by"], addedAt: row.time("added_at_milliseconds"))
    }
}

extension LedgerError {
    fileprivate static func unknownStatement(_ text: String) -> LedgerError {
        LedgerError(
            .unknownStatement,
            "No statement in this ledger has an id that starts with '\(text)'; write at least "
                + "\(LedgerLimits.prefixCharacters) of its digits.")
    }
}
