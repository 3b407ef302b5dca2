import Foundation
import SafeText
import Subprocess
import SystemPackage

/// The keys that the ssh-agent of `SSH_AUTH_SOCK` holds, as `ssh-add -L` lists them.
package struct AgentKeys: Sendable {
    /// How long an agent may take to answer.
    static let timeoutSeconds = 10
    static let outputBytes = 1_048_576

    /// Each as in `authorized_keys` without its comment: type and base64.
    package let lines: [String]

    /// - Parameter environment: of this process; without `SSH_AUTH_SOCK` there are no keys.
    package init(of environment: [String: String]) async {
        guard environment["SSH_AUTH_SOCK"]?.isEmpty == false else {
            lines = []
            return
        }
        // An agent that does not answer has no key that could sign.
        lines = await AgentKeys.listed().map(AgentKeys.keys) ?? []
    }

    /// The keys in the output of `ssh-add -L`.
    static func keys(in output: String) -> [String] {
        output.lines.compactMap { line in
            let fields = line.fields(separatedBy: " ")
            return fields.count >= 2 ? "\(fields[0]) \(fields[1])" : nil
        }
    }

    private static func listed() async -> String? {
        var options = PlatformOptions()
        options.teardownSequence = [.send(signal: .kill, allowedDurationToNextStep: .zero)]
        let platform = options
        return try? await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask {
                let record = try await Subprocess.run(
                    .name("ssh-add"), arguments: ["-L"], platformOptions: platform,
                    output: .string(limit: AgentKeys.outputBytes), error: .discarded)
                return record.terminationStatus.isSuccess ? record.standardOutput : nil
            }
            group.addTask {
                try await Task.sleep(for: .seconds(AgentKeys.timeoutSeconds))
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }
}
