import Glibc
import SafeText
import UpgradeDomain

extension Context {
    /// The reason for an act, from a person. Asked for once everything else allows the act.
    ///
    /// - Parameters:
    ///   - given: what `--reason` said; an empty one says nothing.
    ///   - act: such as `to take core-1 out of r-7k3fq2`.
    /// - Throws: where nobody gives one: nothing may be recorded then.
    func reason(_ given: String?, for act: String) throws -> String {
        if let given, !given.isEmpty { return given }
        let question = "a reason is needed \(act)"
        if let typed = try ask(why: question) { return typed }
        throw CommandError(.usage, question, consequence: "Nothing was recorded. Say why with --reason.")
    }

    /// Why something is done, as a person at the terminal says; nil where nobody is there or says nothing.
    ///
    /// Nobody is asked by a program: where standard input is no terminal, or the answer is to be JSON.
    func ask(why: String) throws -> String? {
        guard isatty(STDIN_FILENO) == 1, !isJSON else { return nil }
        let typed = try Renderer.ask(["\(why)"], "Why? (recorded)")
        return typed?.isEmpty == false ? typed : nil
    }
}
