import Approvals
import UpgradeDomain

/// Texts that people sign: whatever they contain, they are refused in words that a terminal can show, or mean what
/// exactly these bytes say, and can be judged.
enum StatementProperties {
    static func check(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        do throws(StatementProblem) {
            try check(try Statement(signedText: text), text)
        } catch {
            requireShown(error.words)
        }
        do throws(PolicyProblem) {
            let policy = try Policy.read(text)
            require((try? policy.text()) == text, "a policy has another text than the one that was read")
            // Nobody signed it.
            let chain = try? PolicyChain(first: SignedStatement(text: text), of: nil)
            require(chain == nil, "a policy without a signature is trusted")
        } catch {
            requireShown(error.words)
        }
    }

    private static func check(_ statement: Statement, _ text: String) throws(StatementProblem) {
        require((try? statement.signedText()) == text, "a statement has another text than the one that was read")
        require(statement.notBefore.time < statement.notAfter.time, "a statement ends before it begins")
        // As the run that it names, where claims count, and where nobody's word does.
        for basis in [Authority.Basis.claims, .unverifiable("nobody")] {
            let scope = AuthorityScope(
                ledger: statement.ledger, run: statement.run, planDigest: statement.plan, planName: statement.planName,
                releases: statement.releases, owners: [:], author: nil, starter: nil)
            var authority = Authority(scope, basis)
            do {
                try authority.take(SignedStatement(text: text))
                require(false, "a statement without signature and claim counts")
            } catch {
                requireShown(Authority.words(of: error))
            }
        }
    }

    private static func requireShown(_ words: String) {
        require(words.utf8.count < 2_000, "too many words: \(words)")
        require(!words.utf8.contains { $0 < 0x20 || $0 == 0x7f }, "words with control characters: \(words)")
    }
}
