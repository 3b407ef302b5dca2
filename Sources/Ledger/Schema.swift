import GRDB

/// The schema of the database file: frozen SQL, applied once and in order, never edited after a release.
enum Schema {
    /// `LKFL`; distinguishes a ledger from any other SQLite file.
    static let applicationID: Int64 = 0x4C4B_464C
    static var currentVersion: Int { migrations.count }

    /// Refuses a file that is not a ledger, or that a newer Lockflight wrote, before anything in it is changed.
    static func refuseForeignFile(_ db: Database, path: String) throws {
        var (application, objects, version) = (Int64(0), 0, 0)
        // Read in one transaction: another process may be turning an empty file into a ledger.
        try db.inTransaction(.deferred) {
            application = try Int64.fetchOne(db, sql: "PRAGMA application_id") ?? 0
            objects = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
            version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            return .commit
        }
        let isNew = application == 0 && objects == 0 && version == 0
        guard application == applicationID || isNew else {
            throw LedgerError(
                .notALedger, "\(path) is an SQLite file of another program and was left alone; name another file.")
        }
        guard version <= currentVersion else {
            throw LedgerError(
                .newerSchema,
                "The ledger \(path) was written by a newer Lockflight (schema \(version), this one "
                    + "knows \(currentVersion)) and was left alone; use that version.")
        }
    }

    /// Upgrades the file to the current version in one transaction. A crash leaves the old version intact.
    static func migrate(_ db: Database, newLedgerID: String) throws {
        guard try Int.fetchOne(db, sql: "PRAGMA user_version") != currentVersion else { return }
        // A table can be replaced only while foreign keys are not enforced.
        try db.execute(sql: "PRAGMA foreign_keys = OFF")
        defer { try? db.execute(sql: "PRAGMA foreign_keys = ON") }
        try db.inTransaction(.immediate) {
            let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            for migration in migrations.dropFirst(version) { try db.execute(sql: migration) }
            if version == 0 {
                try db.execute(
                    sql: "INSERT INTO meta (singleton, ledger_id) VALUES (1, ?)", arguments: [newLedgerID])
            }
            if version < currentVersion {
                try db.execute(sql: "PRAGMA application_id = \(applicationID)")
                try db.execute(sql: "PRAGMA user_version = \(currentVersion)")
                try db.checkForeignKeys()
            }
            return .commit
        }
    }

    /// An empty ledger in memory, made once per process. Others are compared with it, and the simulation's ledgers are
    /// copies of it.
    static let untouched = Result {
        let ledger = try DatabaseQueue()
        try ledger.writeWithoutTransaction { db in try migrate(db, newLedgerID: "l-0") }
        return ledger
    }

    private static let migrations = [version1, version2, version3, version4, version5, version6]

    private static let version1 = """
        CREATE TABLE meta (
            singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
            ledger_id TEXT NOT NULL
        ) STRICT;
        CREATE TABLE inventories (
            version INTEGER PRIMARY KEY,
            digest TEXT NOT NULL,
            document BLOB NOT NULL,
            imported_by TEXT NOT NULL,
            imported_at_milliseconds INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE plans (
            digest TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            document BLOB NOT NULL,
            added_at_milliseconds INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE approvals (
            number INTEGER PRIMARY KEY,
            plan_digest TEXT NOT NULL REFERENCES plans (digest),
            hosts_digest TEXT NOT NULL,
            owner TEXT NOT NULL,
            claimed_by TEXT NOT NULL,
            approved_at_milliseconds INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX approvals_by_plan ON approvals (plan_digest);
        CREATE TABLE runs (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            plan_digest TEXT NOT NULL REFERENCES plans (digest),
            definition_digest TEXT NOT NULL,
            started_at_milliseconds INTEGER NOT NULL,
            standing TEXT NOT NULL CHECK (standing IN ('open', 'finalized', 'superseded')),
            successor TEXT REFERENCES runs (id),
            head_sequence INTEGER NOT NULL,
            head_hash TEXT NOT NULL,
            CHECK ((standing = 'superseded') = (successor IS NOT NULL))
        ) STRICT;
        CREATE TABLE host_claims (
            host TEXT NOT NULL PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs (id)
        ) STRICT;
        CREATE INDEX host_claims_by_run ON host_claims (run);
        CREATE TABLE events (
            run TEXT NOT NULL REFERENCES runs (id),
            sequence INTEGER NOT NULL CHECK (sequence >= 1),
            version INTEGER NOT NULL,
            kind TEXT NOT NULL,
            payload BLOB NOT NULL,
            recorded_at_milliseconds INTEGER NOT NULL,
            previous_hash TEXT NOT NULL,
            hash TEXT NOT NULL,
            PRIMARY KEY (run, sequence)
        ) STRICT;
        CREATE TABLE leases (
            epoch INTEGER PRIMARY KEY CHECK (epoch >= 1),
            run TEXT NOT NULL REFERENCES runs (id),
            user TEXT NOT NULL,
            machine TEXT NOT NULL,
            process_id INTEGER NOT NULL,
            acquired_at_milliseconds INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX leases_by_run ON leases (run, epoch);
        CREATE TABLE blobs (
            digest TEXT NOT NULL PRIMARY KEY,
            bytes BLOB NOT NULL,
            stored_at_milliseconds INTEGER NOT NULL
        ) STRICT;
        CREATE TRIGGER events_keep_update BEFORE UPDATE ON events
            BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
        CREATE TRIGGER events_keep_delete BEFORE DELETE ON events
            BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
        CREATE TRIGGER plans_keep_update BEFORE UPDATE ON plans
            BEGIN SELECT RAISE(ABORT, 'plans are append-only'); END;
        CREATE TRIGGER plans_keep_delete BEFORE DELETE ON plans
            BEGIN SELECT RAISE(ABORT, 'plans are append-only'); END;
        CREATE TRIGGER approvals_keep_update BEFORE UPDATE ON approvals
            BEGIN SELECT RAISE(ABORT, 'approvals are append-only'); END;
        CREATE TRIGGER approvals_keep_delete BEFORE DELETE ON approvals
            BEGIN SELECT RAISE(ABORT, 'approvals are append-only'); END;
        CREATE TRIGGER leases_keep_update BEFORE UPDATE ON leases
            BEGIN SELECT RAISE(ABORT, 'leases are append-only'); END;
        CREATE TRIGGER leases_keep_delete BEFORE DELETE ON leases
            BEGIN SELECT RAISE(ABORT, 'leases are append-only'); END;
        """

    private static let version2 = """
        ALTER TABLE approvals ADD COLUMN rollback_until_milliseconds INTEGER;
        ALTER TABLE meta ADD COLUMN epoch_floor INTEGER NOT NULL DEFAULT 0;
        """

    private static let version3 = """
        CREATE TABLE reconstructed_operations (
            host TEXT NOT NULL,
            operation TEXT NOT NULL,
            document BLOB NOT NULL,
            reconstructed_by TEXT NOT NULL,
            reconstructed_at_milliseconds INTEGER NOT NULL,
            PRIMARY KEY (host, operation)
        ) STRICT;
        CREATE TRIGGER reconstructed_operations_keep_update BEFORE UPDATE ON reconstructed_operations
            BEGIN SELECT RAISE(ABORT, 'reconstructed operations are append-only'); END;
        CREATE TRIGGER reconstructed_operations_keep_delete BEFORE DELETE ON reconstructed_operations
            BEGIN SELECT RAISE(ABORT, 'reconstructed operations are append-only'); END;
        """

    private static let version4 = """
        CREATE TABLE run_overviews (
            run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id),
            sequence INTEGER NOT NULL,
            build TEXT NOT NULL,
            document BLOB NOT NULL
        ) STRICT;
        CREATE TABLE placement_overviews (
            run TEXT NOT NULL REFERENCES runs (id),
            position INTEGER NOT NULL,
            host TEXT NOT NULL,
            layer TEXT NOT NULL,
            batch INTEGER NOT NULL,
            phase TEXT NOT NULL,
            failure_class TEXT,
            is_pressing INTEGER NOT NULL,
            phase_since_milliseconds INTEGER NOT NULL,
            attempt INTEGER NOT NULL,
            is_touched INTEGER NOT NULL,
            recorded TEXT NOT NULL,
            recorded_since_milliseconds INTEGER NOT NULL,
            observed TEXT NOT NULL,
            observed_at_milliseconds INTEGER,
            is_repaired_by_hand INTEGER NOT NULL,
            is_adopted INTEGER NOT NULL,
            PRIMARY KEY (run, position)
        ) STRICT, WITHOUT ROWID;
        """

    /// Runs may be cancelled or quarantined; a lease has a token that no other ledger can have issued; an approval may
    /// state how many runs it is valid for and until when. Older records have none of these.
    private static let version5 = """
        CREATE TABLE runs_with_standings (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            plan_digest TEXT NOT NULL REFERENCES plans (digest),
            definition_digest TEXT NOT NULL,
            started_at_milliseconds INTEGER NOT NULL,
            standing TEXT NOT NULL
                CHECK (standing IN ('open', 'finalized', 'cancelled', 'superseded', 'quarantined')),
            successor TEXT REFERENCES runs (id),
            head_sequence INTEGER NOT NULL,
            head_hash TEXT NOT NULL,
            CHECK ((standing = 'superseded') = (successor IS NOT NULL))
        ) STRICT;
        INSERT INTO runs_with_standings SELECT * FROM runs;
        DROP TABLE runs;
        ALTER TABLE runs_with_standings RENAME TO runs;
        CREATE TABLE quarantines (
            run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id),
            reason TEXT NOT NULL,
            quarantined_by TEXT NOT NULL,
            quarantined_at_milliseconds INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE quarantined_hosts (
            run TEXT NOT NULL REFERENCES quarantines (run),
            host TEXT NOT NULL,
            fate TEXT NOT NULL CHECK (fate IN ('settled', 'abandoned')),
            reason TEXT,
            freed_by TEXT NOT NULL,
            freed_at_milliseconds INTEGER NOT NULL,
            PRIMARY KEY (run, host)
        ) STRICT;
        CREATE TRIGGER quarantines_keep_update BEFORE UPDATE ON quarantines
            BEGIN SELECT RAISE(ABORT, 'quarantines are append-only'); END;
        CREATE TRIGGER quarantines_keep_delete BEFORE DELETE ON quarantines
            BEGIN SELECT RAISE(ABORT, 'quarantines are append-only'); END;
        CREATE TRIGGER quarantined_hosts_keep_update BEFORE UPDATE ON quarantined_hosts
            BEGIN SELECT RAISE(ABORT, 'quarantined hosts are append-only'); END;
        CREATE TRIGGER quarantined_hosts_keep_delete BEFORE DELETE ON quarantined_hosts
            BEGIN SELECT RAISE(ABORT, 'quarantined hosts are append-only'); END;
        ALTER TABLE leases ADD COLUMN token TEXT;
        CREATE TABLE adoptions (
            epoch INTEGER PRIMARY KEY CHECK (epoch >= 1),
            token TEXT NOT NULL,
            host TEXT NOT NULL,
            former_ledger TEXT NOT NULL,
            former_epoch INTEGER NOT NULL,
            owner TEXT NOT NULL,
            reason TEXT NOT NULL,
            adopted_by TEXT NOT NULL,
            adopted_at_milliseconds INTEGER NOT NULL
        ) STRICT;
        CREATE TRIGGER adoptions_keep_update BEFORE UPDATE ON adoptions
            BEGIN SELECT RAISE(ABORT, 'adoptions are append-only'); END;
        CREATE TRIGGER adoptions_keep_delete BEFORE DELETE ON adoptions
            BEGIN SELECT RAISE(ABORT, 'adoptions are append-only'); END;
        CREATE TABLE witnesses (
            run TEXT NOT NULL REFERENCES runs (id),
            host TEXT NOT NULL,
            operation TEXT NOT NULL,
            head TEXT NOT NULL,
            fetched_by TEXT NOT NULL,
            fetched_at_milliseconds INTEGER NOT NULL,
            PRIMARY KEY (run, host, operation, head)
        ) STRICT;
        CREATE TRIGGER witnesses_keep_update BEFORE UPDATE ON witnesses
            BEGIN SELECT RAISE(ABORT, 'witnesses are append-only'); END;
        CREATE TRIGGER witnesses_keep_delete BEFORE DELETE ON witnesses
            BEGIN SELECT RAISE(ABORT, 'witnesses are append-only'); END;
        ALTER TABLE approvals ADD COLUMN runs_served INTEGER;
        ALTER TABLE approvals ADD COLUMN ends_at_milliseconds INTEGER;
        """

    /// What people sign: versions of the policy, and statements with their signatures. A plan names its author. Older
    /// plans have none.
    private static let version6 = """
        ALTER TABLE plans ADD COLUMN added_by TEXT;
        CREATE TABLE policies (
            version INTEGER PRIMARY KEY CHECK (version >= 1),
            digest TEXT NOT NULL,
            text TEXT NOT NULL,
            signatures TEXT NOT NULL,
            added_by TEXT NOT NULL,
            added_at_milliseconds INTEGER NOT NULL
        ) STRICT;
        CREATE TRIGGER policies_keep_update BEFORE UPDATE ON policies
            BEGIN SELECT RAISE(ABORT, 'policies are append-only'); END;
        CREATE TRIGGER policies_keep_delete BEFORE DELETE ON policies
            BEGIN SELECT RAISE(ABORT, 'policies are append-only'); END;
        CREATE TABLE statements (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            digest TEXT NOT NULL,
            text TEXT NOT NULL,
            plan_digest TEXT REFERENCES plans (digest),
            leaves TEXT,
            claim TEXT,
            made_by TEXT NOT NULL,
            made_at_milliseconds INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX statements_by_plan ON statements (plan_digest);
        CREATE TRIGGER statements_keep_update BEFORE UPDATE ON statements
            BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;
        CREATE TRIGGER statements_keep_delete BEFORE DELETE ON statements
            BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;
        CREATE TABLE statement_signatures (
            number INTEGER PRIMARY KEY,
            statement TEXT NOT NULL REFERENCES statements (id),
            signature TEXT NOT NULL,
            added_by TEXT NOT NULL,
            added_at_milliseconds INTEGER NOT NULL,
            UNIQUE (statement, signature)
        ) STRICT;
        CREATE TRIGGER statement_signatures_keep_update BEFORE UPDATE ON statement_signatures
            BEGIN SELECT RAISE(ABORT, 'signatures are append-only'); END;
        CREATE TRIGGER statement_signatures_keep_delete BEFORE DELETE ON statement_signatures
            BEGIN SELECT RAISE(ABORT, 'signatures are append-only'); END;
        """
}
