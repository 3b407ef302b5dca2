import Approvals
import CoordinatorRuntime
import FleetAccess
import Foundation
import Ledger
import OperatorCommands
import RunViews
import SafeText
import UpgradeDomain

/// Where people sign statements: what they sign is verified, and says how to sign it elsewhere if no key is at hand.
struct StatementDesk {
    /// A statement, and who has signed it here.
    struct Outcome {
        var statement: Statement
        var signed: SignedStatement
        var people: [Owner]
        /// Those who were named, and of whom no key is at hand.
        var absent: [Owner]
    }

    let context: Context
    let ledger: Ledger

    /// Lets people sign a statement with their keys. Nothing is stored.
    ///
    /// - Parameters:
    ///   - leaves: of the hosts that the statement covers.
    ///   - people: in whose names it is signed.
    ///   - key: the file with the key; nil for the ssh-agent.
    ///   - authority: verifies each signature before it is kept.
    /// - Throws: if a signature would not count, in the words of the authority.
    func sign(
        _ statement: Statement, _ leaves: [HostName: Digest]?, by people: [Owner], key: String?,
        before authority: Authority
    ) async throws -> Outcome {
        guard let policy = authority.policy else {
            throw CommandError(
                .refused, authority.unverifiable ?? "no policy says whose signatures count",
                consequence: "Nothing was signed.",
                next: authority.unverifiable == nil ? .showPolicy(version: nil) : .verifyLedger(file: nil))
        }
        if people.count > 1, key != nil {
            throw CommandError(
                .usage, "--key is the key of one person, and \(people.count) are named",
                consequence: "Nothing was signed. Repeat the command for each person.")
        }
        let text = try statement.signedText()
        if let stranger = people.first(where: { !policy.entitled(to: statement).contains($0) }) {
            throw CommandError(
                .refused, "\(stranger) may not give \(statement.words)",
                consequence: "Nothing was signed. \(policy.peopleSentence(for: statement))",
                next: .showPolicy(version: nil))
        }
        Renderer.writeError(
            (["what is signed:"] + statement.termLines.map { "  " + $0 }).flatMap {
                $0.wrapped(to: context.width, indent: 14)
            } + [""])
        let signer = await StatementSigner(context, under: policy, key: key)
        var outcome = Outcome(
            statement: statement, signed: SignedStatement(text: text, leaves: leaves), people: [], absent: [])
        for person in people {
            switch try await signer.sign(text, as: statement.purpose, by: person) {
            case .noKey: outcome.absent.append(person)
            case .signed(let signature):
                outcome.signed.signatures.append(signature)
                try StatementDesk.require(outcome.signed, statement, counts: authority, for: person)
                outcome.people.append(person)
            }
        }
        return outcome
    }

    private static func require(
        _ signed: SignedStatement, _ statement: Statement, counts authority: Authority, for person: Owner
    ) throws(CommandError) {
        let consequence =
            "Nothing was recorded." + (authority.policy.map { " \($0.peopleSentence(for: statement))" } ?? "")
        var tried = authority
        let given: GivenStatement?
        do {
            try tried.take(signed)
            given = tried.given.last { $0.signed.text == signed.text }
        } catch {
            throw CommandError(
                .refused, "the signature of \(person) does not count: \(Authority.words(of: error))",
                consequence: consequence, next: .showPolicy(version: nil))
        }
        guard given?.people.contains(person) != true else { return }
        let others = (given?.people ?? []).map(\.rawValue).joined(separator: ", ")
        let why = given?.faults.last ?? "the key is that of \(others)"
        throw CommandError(
            .refused, "the signature does not count for \(person): \(why)", consequence: consequence,
            next: .showPolicy(version: nil))
    }

    /// Stores a statement with its signatures.
    func store(_ signed: SignedStatement, _ statement: Statement) async throws {
        try await ledger.addStatement(
            signed, id: statement.id, plan: statement.plan, by: context.user, at: Context.clock.wall())
    }

    /// The commands with which a person signs a stored statement on a machine that has the key, in order.
    func elsewhere(_ statement: Statement) -> [TerminalText] {
        let file = "\(statement.id.short).json"
        let lines = context.commandLines
        let sign = SignatureProgram.command(signing: file, namespace: statement.purpose.namespace, key: nil)
        return [
            "  \(lines.line(.showApproval(id: statement.id, prints: true))) > \(file)", "  \(lines.line(sign))",
            "  \(lines.line(.addApproval(file: "\(file).sig")))",
        ]
    }
}

extension Authority {
    /// Why nobody's word counts; nil where somebody's does.
    var unverifiable: String? {
        switch basis {
        case .unverifiable(let words): "the policy does not verify: \(words)"
        case .claims, .policy: nil
        }
    }
}
