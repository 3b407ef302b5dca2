/// Where bytes of others come in.
enum Entry: String, CaseIterable {
    /// What a host sends, and what an agent is sent.
    case frames
    case plan
    case inventory
    /// Texts of hosts on their way to a terminal.
    case terminal
    /// Bodies that surfaces answer.
    case answers
    /// Texts of hosts on their way to pages and command lines.
    case pages
    /// Exported evidence, and the events in it.
    case bundles

    /// The one that this process runs; the C callback can carry nothing else.
    nonisolated(unsafe) static var chosen = Entry.frames

    init?(option: String) {
        guard option.hasPrefix("--") else { return nil }
        self.init(rawValue: String(option.dropFirst(2)))
    }

    /// Holds what the input gives to this entry's properties; a broken one ends the process, which is a finding.
    func check(_ input: [UInt8]) {
        switch self {
        case .frames: FrameProperties.check(input)
        case .plan: FileProperties.checkPlan(input)
        case .inventory: FileProperties.checkInventory(input)
        case .terminal: TerminalProperties.check(input)
        case .answers: AnswerProperties.check(input)
        case .pages: PageProperties.check(input)
        case .bundles: BundleProperties.check(input)
        }
    }
}

/// Ends the process with what was found.
func require(_ condition: Bool, _ finding: @autoclosure () -> String) {
    if !condition { fatalError(finding()) }
}
