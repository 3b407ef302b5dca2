import GRDB
package import OperatorCommands
package import UpgradeDomain

/// Why the ledger refused or failed, and what that means.
package struct LedgerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Callers decide by the code, never by the message.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        // Opening.
        case absent
        case cannotOpen
        /// A file already exists at the path to write.
        case fileExists
        case notALedger
        /// Another user could have written it.
        case untrusted
        case newerSchema
        case olderSchema
        // Storage. After `commitUnknown` stop, reopen and read the head. After the others, nothing was recorded.
        case busy
        case diskFull
        case readOnly
        case storageFailed
        case damaged
        case commitUnknown
        // Looking things up.
        case unknownPlan
        case unknownRun
        case unknownStatement
        case ambiguous
        // Writing to a run.
        case conflict
        case leaseRequired
        case leaseHeld
        case deposed
        case runClosed
        case hostClaimed
        case contradiction
        case tooLarge
    }

    package var code: Code
    /// What failed and where, and what that means.
    package var message: String
    /// What to do next, if one command does it.
    package var next: OperatorCommand?
    /// The run it concerns; nil if it concerns the ledger.
    package var run: RunID?
    /// The lower layer's own words.
    package var cause: String?

    init(_ code: Code, _ message: String, next: OperatorCommand? = nil, run: RunID? = nil, cause: String? = nil) {
        self.code = code
        self.message = message
        self.next = next
        self.run = run
        self.cause = cause
    }

    package var description: String { cause.map { "\(message) (\($0))" } ?? message }
}

extension LedgerError {
    /// Puts an error of the lower layer into words; `purpose` completes "could not ...".
    init(_ error: any Error, purpose: String, path: String) {
        if let error = error as? LedgerError {
            self = error
            return
        }
        guard let failure = error as? DatabaseError else {
            self.init(
                .damaged,
                "The ledger \(path) could not \(purpose): a stored document is unreadable. Nothing was changed.",
                next: .verifyLedger(file: nil), cause: "\(error)")
            return
        }
        let cause = "SQLite \(failure.extendedResultCode.rawValue): \(failure.message ?? "no message")"
        switch failure.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(
                .busy,
                "The ledger \(path) could not \(purpose): another process has been writing for more than "
                    + "\(LedgerLimits.busyTimeoutSeconds) s. Nothing was recorded; repeat the command. If one was suspended "
                    + "while it wrote, continue it or end it: `fuser \(path)` names those that have the ledger open.",
                cause: cause)
        case .SQLITE_FULL:
            self.init(
                .diskFull,
                "The ledger \(path) could not \(purpose): its disk is full. Nothing of this was "
                    + "recorded, everything recorded before is kept, and nothing new starts; free space on that "
                    + "disk and repeat the command.", cause: cause)
        case .SQLITE_READONLY, .SQLITE_PERM:
            self.init(
                .readOnly,
                "The ledger \(path) could not \(purpose): it is not writable for this user. Nothing was "
                    + "recorded; run as the user who owns the file and its folder.", cause: cause)
        case .SQLITE_NOTADB:
            self.init(
                .notALedger, "\(path) is not a Lockflight ledger and was left alone; name another file.", cause: cause)
        case .SQLITE_CORRUPT:
            self.init(
                .damaged,
                "The ledger \(path) could not \(purpose): the file is damaged. First copy it and its -wal file "
                    + "to a safe place; then check what is still valid, or restore a backup.",
                next: .verifyLedger(file: nil), cause: cause)
        case .SQLITE_CANTOPEN:
            self.init(
                .cannotOpen,
                "The ledger \(path) could not \(purpose): the file or its folder can not be opened. "
                    + "Nothing was recorded; check that the folder exists and is writable for this user.",
                cause: cause)
        default:
            self.init(
                .storageFailed,
                "The ledger \(path) could not \(purpose): storage failed. Nothing of this was "
                    + "recorded; check the disk, then repeat the command.", cause: cause)
        }
    }
}
