import Approvals
import UpgradeDomain

/// A policy of three people, two of whom decide about it.
struct PolicyFixture {
    static let ledger: LedgerID = "l-0123"
    static let issued = WallTime(clamping: 1_795_000_000_000)
    let keys: KeyBox

    init() throws {
        keys = try KeyBox()
    }

    /// Two of ana and bo decide; cleo builds; core takes one of ana and bo, and two where it is one-way.
    func policy(version: Int = 1, issuedAt: WallTime = issued) throws -> Policy {
        Policy(
            ledger: PolicyFixture.ledger, version: version, issuedAt: issuedAt,
            people: [
                "ana": PolicyPerson(
                    keys: [try keys.line("ana"), try keys.line("ana2")],
                    breakGlassKeys: [try keys.line("anaBreakGlass")],
                    accounts: ["ana", "ana.admin"]),
                "bo": PolicyPerson(keys: [try keys.line("bo")]),
                "cleo": PolicyPerson(keys: [try keys.line("cleo")]),
            ],
            signers: PolicyGroup(people: ["ana", "bo"], threshold: 2),
            layers: ["core": PolicyLayer(owners: ["ana", "bo"])],
            onCall: PolicyGroup(people: ["cleo"]), builders: PolicyGroup(people: ["cleo"]))
    }

    /// Version 1, signed by ana and bo.
    func first() throws -> SignedStatement { try keys.sign(policy().text(), with: "ana", "bo", as: .policy) }

    /// A policy, signed with keys of the box.
    func signed(_ policy: Policy, by names: [String]) throws -> SignedStatement {
        let text = try policy.text()
        return SignedStatement(
            text: text, signatures: try names.map { try keys.sign(text, with: $0, namespace: Purpose.policy.namespace) }
        )
    }
}
