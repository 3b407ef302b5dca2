import SafeText
import UpgradeDomain

/// A tool of the host that inspects something, such as `systemctl`, and prints what it finds.
struct HostTool {
    let workingDirectory: String
    let deadline: Deadline
    let isWanted: () -> Bool

    /// How much of the end of standard error is kept, for the last line of it.
    private static let errorBytes = 4_096

    /// The standard output of a tool that exits 0.
    func output(of arguments: [String]) -> Result<String, LinkFailure> {
        let seconds = deadline.remainingWholeSeconds
        guard seconds > 0 else { return failure("no time was left to run it") }
        let setting = CommandSetting(
            ScriptCommand(arguments: arguments, timeoutSeconds: seconds), hostDirectory: workingDirectory)
        let answer = CommandCapture.run(setting, errorBytes: HostTool.errorBytes, isWanted: isWanted)
        if let reason = answer.failure { return failure(reason.detail) }
        switch answer.end {
        case .exited(code: 0) where !answer.isTruncated: return .success(String(decoding: answer.output, as: UTF8.self))
        case .exited(code: 0): return failure("\(arguments[0]) printed too much")
        case .exited(let code):
            let said = String(decoding: answer.errors, as: UTF8.self).lines.last { !$0.trimmed.isEmpty }
            return failure("\(arguments[0]) exited \(code)" + (said.map { ": \($0.trimmed)" } ?? ""))
        case .signaled, nil: return failure("\(arguments[0]) did not end by itself")
        }
    }

    private func failure(_ words: String) -> Result<String, LinkFailure> {
        .failure(LinkFailure(isUnknown: true, String(words.prefix(AgentLimits.detailCharacters))))
    }
}
