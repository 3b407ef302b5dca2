package import Approvals
package import UpgradeDomain

/// A statement that was given to a run, for `--json` and pages.
package struct StatementDocument: Encodable {
    package var id: StatementID
    package var purpose: String
    package var action: String
    /// What it permits, in words.
    package var what: String
    /// Whose word counts, sorted.
    package var people: [Owner]
    /// Signed, or claimed and by which account.
    package var how: String
    /// Why other signatures do not count; nil if there are none.
    package var faults: [String]?
    package var layers: [LayerName]
    package var holdPoints: [HoldPoint]
    package var issuedAt: String
    package var notBefore: String
    package var notAfter: String
    package var rollbackUntil: String?
    /// The signed bytes.
    package var text: String
    package var signatures: [String]

    package init(_ given: GivenStatement) {
        let statement = given.statement
        id = statement.id
        purpose = statement.purpose.rawValue
        action = statement.action.rawValue
        what = statement.words
        people = given.people
        how = given.how
        faults = given.faults.nonEmpty
        layers = statement.layers
        holdPoints = statement.holdPoints
        issuedAt = "\(statement.issuedAt)"
        notBefore = "\(statement.notBefore)"
        notAfter = "\(statement.notAfter)"
        rollbackUntil = statement.rollback.map { "\($0.until)" }
        text = given.signed.text
        signatures = given.signed.signatures
    }
}
