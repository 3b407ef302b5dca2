import ContentDigest
import GRDB
package import UpgradeDomain

/// The texts that people had signed, as a run recorded them at its start or later.
package struct RecordedTexts: Hashable, Sendable {
    package var run: RunID
    /// The digest of the policy's first version, by which the run went; nil for a later event.
    package var trusted: Digest?
    package var policies: [SignedStatement]
    package var statements: [SignedStatement]
}

extension Ledger {
    /// What the runs of this ledger recorded, in their order. A run that goes by claims recorded no policy.
    ///
    /// - Parameters:
    ///   - run: only this run; nil for all.
    ///   - isWhole: false reads only what runs recorded at their start, which is quick.
    package func recordedTexts(of run: RunID? = nil, isWhole: Bool) throws(LedgerError) -> [RecordedTexts] {
        try read("read what runs recorded") { db in
            // SQLite takes the few bytes out of a definition that may list thousands of hosts.
            let starts = try Row.fetchCursor(
                db,
                sql: """
                    SELECT run, CASE WHEN json_valid(CAST(payload AS TEXT))
                        THEN json_extract(CAST(payload AS TEXT), '$.runStarted._0.authority') END AS authority
                    FROM runs JOIN events ON run = runs.id AND sequence = 1
                    WHERE instr(payload, CAST('"authority":' AS BLOB)) > 0 AND run = coalesce(?, run)
                    ORDER BY runs.number
                    """, arguments: [run?.rawValue])
            var found: [RecordedTexts] = []
            while let row = try starts.next() {
                if let texts = row.startTexts { found.append(texts) }
            }
            if isWhole {
                let later = try Row.fetchCursor(
                    db,
                    sql: """
                        SELECT run, payload FROM events
                        WHERE kind = 'requested' AND instr(payload, CAST('"present":' AS BLOB)) > 0
                            AND run = coalesce(?, run)
                        ORDER BY rowid
                        """, arguments: [run?.rawValue])
                while let row = try later.next() {
                    if let texts = row.presentedTexts { found.append(texts) }
                }
            }
            return found
        }
    }
}

/// An event that can not be read is left out: the verification of its chain names it.
extension Row {
    fileprivate var startTexts: RecordedTexts? {
        guard let text = self["authority"] as String?,
            let authority = try? CanonicalJSON.decode(RunAuthority.self, from: Array(text.utf8))
        else { return nil }
        return RecordedTexts(
            run: name("run"), trusted: authority.trusted, policies: authority.policies,
            statements: authority.statements)
    }

    fileprivate var presentedTexts: RecordedTexts? {
        guard case .requested(let request)? = try? CanonicalJSON.stored(RunEvent.self, from: bytes("payload")),
            case .present(let signed) = request.action
        else { return nil }
        return RecordedTexts(
            run: name("run"), policies: signed.isPolicy ? [signed] : [], statements: signed.isPolicy ? [] : [signed])
    }
}

extension SignedStatement {
    private struct Purposed: Decodable { var purpose: String }

    /// Whether it says that it is a version of a policy. Its other members are not read.
    fileprivate var isPolicy: Bool {
        (try? CanonicalJSON.decode(Purposed.self, from: Array(text.utf8), nestingDepth: 16))?.purpose == "policy"
    }
}
