/// The entry points for untrusted bytes.
enum Entry: String, CaseIterable {
    /// Frames from a host and to an agent.
    case frames
    case plan
    case inventory
    case policy
    /// Text from hosts that is shown on a terminal.
    case terminal
    /// Bodies of answers from surfaces.
    case answers
    /// Text from hosts that is put into pages and command lines.
    case pages
    /// Exported evidence and the events in it.
    case bundles
    /// Signatures, public keys and files of allowed signers.
    case signatures
    /// Texts that people sign.
    case statements

    /// The entry that this process runs; a global because the C callback takes no context.
    nonisolated(unsafe) static var chosen = Entry.frames

    init?(option: String) {
        guard option.hasPrefix("--") else { return nil }
        self.init(rawValue: String(option.dropFirst(2)))
    }

    /// Checks this entry's properties on the input; a violated property ends the process, which is a finding.
    func check(_ input: [UInt8]) {
        switch self {
        case .frames: FrameProperties.check(input)
        case .plan: FileProperties.checkPlan(input)
        case .inventory: FileProperties.checkInventory(input)
        case .policy: FileProperties.checkPolicy(input)
        case .terminal: TerminalProperties.check(input)
        case .answers: AnswerProperties.check(input)
        case .pages: PageProperties.check(input)
        case .bundles: BundleProperties.check(input)
        case .signatures: SignatureProperties.check(input)
        case .statements: StatementProperties.check(input)
        }
    }
}

/// Ends the process with the finding if the condition is false.
func require(_ condition: Bool, _ finding: @autoclosure () -> String) {
    if !condition { fatalError(finding()) }
}
