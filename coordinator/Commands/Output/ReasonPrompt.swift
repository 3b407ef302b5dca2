import SafeText
import UpgradeDomain

#if canImport(Glibc)
    import Glibc
#endif

extension Context {
    /// The reason that is given, else the one that a person types.
    ///
    /// - Parameter act: what it is the reason for, as a sentence without its end.
    /// - Throws: where there is none: nothing may be recorded then.
    func reason(_ given: String?, for act: String) throws -> String {
        if let given, !given.isEmpty { return given }
        if let typed = try ask(whyThat: act) { return typed }
        throw CommandError(
            .usage, "\(act), and nobody has said why", consequence: "Nothing was recorded. Say why with --reason.")
    }

    /// Why something is done that needs a reason, as a person at the terminal says; nil where nobody is there or says nothing.
    ///
    /// Nobody is asked by a program: where standard input is no terminal, or the answer is to be JSON.
    func ask(whyThat act: String) throws -> String? {
        guard isatty(STDIN_FILENO) == 1, !isJSON else { return nil }
        let typed = try Renderer.ask(["\(act)"], "Why? (recorded)")
        return typed?.isEmpty == false ? typed : nil
    }
}
