import Glibc
import SafeText
import UpgradeDomain

extension Context {
    /// The reason for an action, from a person. Ask for it only after everything else allows the action.
    ///
    /// - Parameters:
    ///   - given: the value of `--reason`; an empty one counts as none.
    ///   - act: such as `to take core-1 out of r-7k3fq2`.
    /// - Throws: if no reason is given; nothing may be recorded then.
    func reason(_ given: String?, for act: String) throws -> String {
        if let given, !given.isEmpty { return given }
        let question = "a reason is needed \(act)"
        if let typed = try ask(why: question) { return typed }
        throw CommandError(.usage, question, consequence: "Nothing was recorded. Give a reason with --reason.")
    }

    /// The reason that a person types at the terminal; nil without a terminal or an answer.
    ///
    /// Does not ask if standard input is not a terminal, or the output is JSON.
    func ask(why: String) throws -> String? {
        guard isatty(STDIN_FILENO) == 1, !isJSON else { return nil }
        let typed = try Renderer.ask(["\(why)"], "Why? (recorded)")
        return typed?.isEmpty == false ? typed : nil
    }
}
