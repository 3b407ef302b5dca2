import ContentDigest
import GRDB
import OperatorCommands
import SafeText
package import UpgradeDomain

/// A plan as stored in the ledger.
package struct StoredPlan: Hashable, Sendable {
    /// The plan's identity: SHA-256 of its canonical JSON.
    package var digest: Digest
    package var plan: Plan
    /// The operating-system user who added it; nil for a plan that an older build stored.
    package var addedBy: String?
    package var addedAt: WallTime
}

/// The old and the new inventory of a change.
package struct InventoryChange: Hashable, Sendable {
    package var digest: Digest
    /// Nil for the first import.
    package var previous: FleetInventory?
    package var current: FleetInventory
}

extension Ledger {
    /// Changes the current inventory in one transaction, so that a concurrent change by another process is not lost.
    /// The same content is stored once.
    ///
    /// - Parameter change: maps the current inventory (nil before the first) to the new one. It must not wait for
    ///   anything.
    package func changeInventory(
        by user: String, at time: WallTime, _ change: @Sendable (FleetInventory?) -> FleetInventory
    ) throws(LedgerError) -> InventoryChange {
        try write("store the inventory") { db in
            let stored = try Row.fetchOne(
                db, sql: "SELECT digest, document FROM inventories ORDER BY version DESC LIMIT 1")
            let previous = try stored.map { try CanonicalJSON.stored(FleetInventory.self, from: $0.bytes("document")) }
            let current = change(previous)
            let document = try encode(current, as: "inventory")
            let digest = Digest.sha256(of: document)
            if stored?.name("digest") != digest {
                try db.execute(
                    sql: """
                        INSERT INTO inventories (digest, document, imported_by, imported_at_milliseconds)
                        VALUES (?, ?, ?, ?)
                        """,
                    arguments: [digest.rawValue, document.data, user, time.milliseconds])
            }
            return InventoryChange(digest: digest, previous: previous, current: current)
        }
    }

    /// The inventory of the last import; nil before the first.
    package func currentInventory() throws(LedgerError) -> FleetInventory? {
        try read("read the inventory") { db in
            try Row.fetchOne(db, sql: "SELECT document FROM inventories ORDER BY version DESC LIMIT 1")
                .map { try CanonicalJSON.stored(FleetInventory.self, from: $0.bytes("document")) }
        }
    }

    /// Stores a plan and returns its digest. A plan that is already stored is not changed, and its author stays.
    ///
    /// - Parameter user: the operating-system user who adds it; nil if nobody does, as in a simulation.
    package func addPlan(_ plan: Plan, by user: String? = nil, at time: WallTime) throws(LedgerError) -> Digest {
        let document = try encode(plan, as: "plan '\(plan.name)'")
        let digest = Digest.sha256(of: document)
        return try write("store the plan '\(plan.name)'") { db in
            try db.execute(
                sql: """
                    INSERT INTO plans (digest, name, document, added_by, added_at_milliseconds) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (digest) DO NOTHING
                    """,
                arguments: [digest.rawValue, plan.name, document.data, user, time.milliseconds])
            return digest
        }
    }

    /// All plans, the newest first.
    package func plans() throws(LedgerError) -> [StoredPlan] {
        try read("list the plans") { db in
            try Row.fetchAll(db, sql: "SELECT * FROM plans ORDER BY rowid DESC").map(StoredPlan.init(row:))
        }
    }

    /// Finds a plan from an operator's text: a name, a digest, or the first digits of one.
    ///
    /// - Throws: `unknownPlan`; `ambiguous` if several plans match, such as two versions with the same name.
    package func plan(matching text: String) throws(LedgerError) -> StoredPlan {
        let digits = text.rest(after: "sha256:").map { String($0) } ?? text
        let prefix = digits.count >= LedgerLimits.prefixCharacters ? "sha256:" + digits : "-"
        return try read("look up the plan '\(text)'") { db in
            let found = try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM plans WHERE name = ? OR substr(digest, 1, length(?)) = ? ORDER BY rowid DESC
                    """,
                arguments: [text, prefix, prefix])
            guard let first = found.first else {
                throw LedgerError(
                    .unknownPlan,
                    "No plan is named '\(text)', and no digest starts with it.", next: .listPlans)
            }
            guard found.count == 1 else {
                let digests = found.map { ($0.name("digest") as Digest).short }.joined(separator: ", ")
                throw LedgerError(
                    .ambiguous, "'\(text)' matches \(counted(found.count, "plan")); use a digest: \(digests).")
            }
            return try StoredPlan(row: first)
        }
    }

    /// Records an owner's approval of a stored plan over exactly these hosts.
    ///
    /// The caller decides whether the owner may approve. A repeated approval is another record.
    package func approve(_ approval: Approval) throws(LedgerError) {
        try write("record the approval of \(approval.owner)") { db in
            guard try db.hasPlan(approval.planDigest) else { throw LedgerError.unknownPlan(approval.planDigest) }
            try db.execute(
                sql: """
                    INSERT INTO approvals (
                        plan_digest, hosts_digest, owner, claimed_by, approved_at_milliseconds,
                        rollback_until_milliseconds, runs_served, ends_at_milliseconds)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    approval.planDigest.rawValue, approval.hostsDigest.rawValue, approval.owner.rawValue,
                    approval.claimedBy, approval.approvedAt.milliseconds, approval.rollbackUntil?.milliseconds,
                    approval.runs, approval.until?.milliseconds,
                ])
        }
    }

    /// Every approval of the plans with a name, whatever their content and hosts, in the order they were given.
    package func approvals(ofPlansNamed name: String) throws(LedgerError) -> [Approval] {
        try read("list the approvals of plan '\(name)'") { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT approvals.* FROM approvals JOIN plans ON plans.digest = approvals.plan_digest
                    WHERE plans.name = ? ORDER BY approvals.number
                    """, arguments: [name]
            ).map(Approval.init(row:))
        }
    }

    /// Canonical bytes of a document, within its limit.
    func encode(_ document: some Codable & Equatable, as what: String) throws(LedgerError) -> [UInt8] {
        let bytes = try LedgerError.canonicalBytes(of: document, as: what)
        guard bytes.count <= LedgerLimits.documentBytes else {
            throw LedgerError(
                .tooLarge,
                "The \(what) has \(counted(bytes.count, "byte")), more than the limit of "
                    + "\(LedgerLimits.documentBytes); nothing was stored.")
        }
        return bytes
    }
}

extension Approval {
    fileprivate init(row: Row) {
        self.init(
            owner: row.name("owner"), planDigest: row.name("plan_digest"), hostsDigest: row.name("hosts_digest"),
            claimedBy: row["claimed_by"], approvedAt: row.time("approved_at_milliseconds"),
            rollbackUntil: (row["rollback_until_milliseconds"] as Int64?).map(WallTime.init(clamping:)),
            runs: row["runs_served"], until: (row["ends_at_milliseconds"] as Int64?).map(WallTime.init(clamping:)))
    }
}

extension StoredPlan {
    fileprivate init(row: Row) throws {
        self.init(
            digest: row.name("digest"), plan: try CanonicalJSON.stored(Plan.self, from: row.bytes("document")),
            addedBy: row["added_by"], addedAt: row.time("added_at_milliseconds"))
    }
}

extension Database {
    func hasPlan(_ digest: Digest) throws -> Bool {
        try Bool.fetchOne(
            self, sql: "SELECT count(*) > 0 FROM plans WHERE digest = ?", arguments: [digest.rawValue]) ?? false
    }
}

extension LedgerError {
    static func unknownPlan(_ digest: Digest) -> LedgerError {
        LedgerError(
            .unknownPlan,
            "The plan \(digest.short) is not in this ledger, so nothing was recorded.", next: .addPlan(file: nil))
    }

    /// The digest of a value that is recorded as part of something else, which is read back as a whole.
    static func digest(of value: some Encodable, as what: String) throws(LedgerError) -> Digest {
        do {
            return Digest.sha256(of: try CanonicalJSON.encode(value))
        } catch {
            throw unwritable(what, cause: error)
        }
    }

    private static func unwritable(_ what: String, cause: any Error) -> LedgerError {
        LedgerError(
            .contradiction, "The \(what) can not be stored in a form that can be read again, so nothing was recorded.",
            cause: "\(cause)")
    }

    /// The bytes under which a value is recorded. They are decoded first and compared, so that nothing is recorded that
    /// cannot be read or that reads differently.
    static func canonicalBytes<Value: Codable & Equatable>(
        of value: Value, as what: String
    ) throws(LedgerError) -> [UInt8] {
        let readBack: Value
        let bytes: [UInt8]
        do {
            bytes = try CanonicalJSON.encode(value)
            readBack = try CanonicalJSON.decode(Value.self, from: bytes)
        } catch {
            throw unwritable(what, cause: error)
        }
        guard readBack == value else {
            throw LedgerError(
                .contradiction, "The \(what) does not read back as the same value, so nothing was recorded.")
        }
        return bytes
    }
}
