package import Foundation
package import Inventory
import OperatorCommands
import SafeText
import Subprocess
import UpgradeDomain

/// Resolves ssh_config with OpenSSH itself, host by host.
package enum SSHConfig {
    /// How many hosts are resolved at once; each takes a process of about 10 ms.
    static let width = 16
    /// ssh_config may run commands (`Match exec`) and resolve names (CanonicalizeHostname).
    static let timeoutSeconds = 30
    static let outputBytes = 1_048_576

    /// The answers of `ssh -G` for the hosts of a draft.
    /// - Parameters:
    ///   - folder: the base of a relative `sshConfig` path.
    ///   - known: answers of before, which are not asked for again.
    package static func answers(
        for draft: InventoryDraft, folder: URL, known: SSHConfigAnswers? = nil
    ) async throws -> SSHConfigAnswers {
        let file = draft.sshConfig.map { path(of: $0, folder: folder) }
        var answers: SSHConfigAnswers
        if let known {
            answers = known
        } else {
            answers = SSHConfigAnswers(configFile: file, defaults: try await defaults())
        }
        let questions = draft.questions(configFile: file).filter {
            answers.hosts[$0.host] == nil && answers.failures[$0.host] == nil
        }
        try await withThrowingTaskGroup(of: (HostName, Result<String, Complaint>).self) { group in
            func take(_ answer: (host: HostName, output: Result<String, Complaint>)) {
                switch answer.output {
                case .success(let output): answers.hosts[answer.host] = SSHConfigAnswer(output)
                case .failure(let complaint): answers.failures[answer.host] = complaint.words
                }
            }
            for (index, question) in questions.enumerated() {
                if index >= width, let answer = try await group.next() { take(answer) }
                group.addTask { (question.host, try await ask(question.arguments)) }
            }
            for try await answer in group { take(answer) }
        }
        return answers
    }

    /// OpenSSH's own defaults.
    private static func defaults() async throws -> SSHConfigAnswer {
        guard case .success(let defaults) = try await ask(SSHConfigAnswer.defaultsArguments) else {
            throw FleetAccessError(
                "ssh -F none -G gives no answer", consequence: "Nothing was stored.",
                next: .program(words: ["ssh", "-F", "none", "-G", "localhost"]))
        }
        return SSHConfigAnswer(defaults)
    }

    /// The ssh_config that a draft names, if it is outside the importing user's ssh folder; else nil.
    package static func foreignFile(of draft: InventoryDraft, folder: URL) -> String? {
        guard let named = draft.sshConfig, named != "none" else { return nil }
        let file = path(of: named, folder: folder)
        let own = (("~/.ssh/" as NSString).expandingTildeInPath as NSString).standardizingPath + "/"
        return (file as NSString).resolvingSymlinksInPath.begins(with: own) ? nil : file
    }

    /// Absolute, so that it does not depend on the folder that a later command runs in.
    private static func path(of text: String, folder: URL) -> String {
        guard text != "none" else { return text }
        let expanded = (text as NSString).expandingTildeInPath
        return URL(fileURLWithPath: expanded, relativeTo: folder).standardized.path
    }

    /// Why `ssh` did not answer.
    private struct Complaint: Error {
        var words: String
    }

    /// Runs `ssh` under `timeout`, which also ends commands that ssh_config starts.
    private static func ask(_ arguments: [String]) async throws -> Result<String, Complaint> {
        do {
            let record = try await Subprocess.run(
                .name("timeout"), arguments: Arguments(["-k", "1", "\(timeoutSeconds)", "ssh"] + arguments),
                environment: .inherit.updating(["LC_ALL": "C"]), output: .string(limit: outputBytes),
                error: .string(limit: outputBytes))
            switch record.terminationStatus {
            case .exited(0): return .success(record.standardOutput)
            case .exited(124), .exited(137), .signaled:
                return .failure(Complaint(words: "it took longer than \(timeoutSeconds) s"))
            case .exited(127): throw notInstalled("ssh is not installed")
            case .exited:
                let lines = record.standardError.fields(separatedBy: "\r\n")
                return .failure(Complaint(words: lines.joined(separator: ": ")))
            }
        } catch let error as SubprocessError {
            throw notInstalled("\(error)")
        }
    }

    private static func notInstalled(_ cause: String) -> FleetAccessError {
        FleetAccessError(
            "ssh -G could not be run: \(cause)", consequence: "Nothing was stored.",
            next: .program(words: ["apt-get", "install", "openssh-client"]))
    }
}
