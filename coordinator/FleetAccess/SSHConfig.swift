package import Foundation
package import Inventory
import OperatorCommands
import SafeText
import Subprocess
import Synchronization
import UpgradeDomain

/// Resolves ssh_config with OpenSSH itself, host by host.
package enum SSHConfig {
    /// How many hosts are resolved at once. A `Match exec` may wait for something, whatever the number of cores.
    static let width = 16
    /// For one host: ssh_config may run commands (`Match exec`) and resolve names (CanonicalizeHostname).
    package static let timeoutSeconds = 30

    /// The answers of `ssh -G` for the hosts of a draft.
    /// - Parameters:
    ///   - folder: the base of a relative `sshConfig` path.
    ///   - known: answers of before, which are not asked for again.
    ///   - seconds: how long one host may take.
    ///   - variables: what `ssh` has in its environment beside the command's own.
    package static func answers(
        for draft: InventoryDraft, folder: URL, known: SSHConfigAnswers? = nil,
        within seconds: Int = timeoutSeconds, variables: [String: String] = [:]
    ) async throws -> SSHConfigAnswers {
        let file = draft.sshConfig.map { path(of: $0, folder: folder) }
        var answers = known ?? SSHConfigAnswers(configFile: file, defaults: SSHConfigAnswer(""))
        var questions = draft.questions(configFile: file).filter {
            answers.hosts[$0.host] == nil && answers.failures[$0.host] == nil
        }.map { Question(host: $0.host, words: $0.arguments) }
        if known == nil { questions.insert(Question(host: nil, words: SSHConfigAnswer.defaultsArguments), at: 0) }
        let queue = QuestionQueue(questions)
        try await withThrowingTaskGroup(of: [Answered].self) { group in
            for _ in 0..<min(width, questions.count) {
                group.addTask { try await answered(from: queue, within: seconds, variables) }
            }
            for try await answered in group {
                for (host, result) in answered {
                    switch (host, result) {
                    case (let host?, .success(let answer)): answers.hosts[host] = answer
                    case (let host?, .failure(let complaint)): answers.failures[host] = complaint.words
                    case (nil, .success(let answer)): answers.defaults = answer
                    case (nil, .failure): throw noDefaults
                    }
                }
            }
        }
        return answers
    }

    /// A host's question, or without one that for OpenSSH's own defaults.
    private struct Question {
        var host: HostName?
        var words: [String]
    }

    private typealias Answered = (host: HostName?, result: Result<SSHConfigAnswer, Complaint>)

    /// Hands each question out once.
    private final class QuestionQueue: Sendable {
        private let questions: [Question]
        private let count = Atomic(0)

        init(_ questions: [Question]) { self.questions = questions }

        func next() -> Question? {
            let index = count.add(1, ordering: .relaxed).oldValue
            return questions.indices.contains(index) ? questions[index] : nil
        }
    }

    private static let noDefaults = FleetAccessError(
        "ssh -F none -G gives no answer", consequence: "Nothing was stored.",
        next: .program(words: ["ssh", "-F", "none", "-G", "localhost"]))

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

    /// Asks one question after another until there is none, in as many shells as that takes: one that had to be killed
    /// answers nothing more.
    private static func answered(
        from queue: QuestionQueue, within seconds: Int, _ variables: [String: String]
    ) async throws -> [Answered] {
        var answered: [Answered] = []
        var next = queue.next()
        while let first = next {
            do {
                (answered, next) = try await AskingShell.with(variables) { [answered] shell in
                    var answered = answered
                    var next: Question? = first
                    while let question = next {
                        let answer = try await shell.answer(to: question.words, within: .seconds(seconds))
                        answered.append((question.host, try meaning(of: answer, seconds)))
                        next = queue.next()
                        if answer.isLast { break }
                    }
                    return (answered, next)
                }
            } catch let error as SubprocessError {
                throw notInstalled("\(error)")
            }
        }
        return answered
    }

    private static func meaning(
        of answer: AskingShell.Answer, _ seconds: Int
    ) throws -> Result<SSHConfigAnswer, Complaint> {
        switch answer {
        case .exited(0, let output, _): return .success(SSHConfigAnswer(output))
        case .exited(127, _, _): throw notInstalled("ssh is not installed")
        case .exited(let code, _, let errors):
            return .failure(Complaint(words: words(errors) ?? "it exited with \(code)"))
        case .notAsked:
            return .failure(Complaint(words: "its address, its user or the path of the ssh_config has a line break"))
        case .late: return .failure(Complaint(words: "it took longer than \(seconds) s"))
        case .tooLong:
            return .failure(Complaint(words: "it printed more than \(AskingShell.answerBytes) bytes"))
        case .ended(let errors): return .failure(Complaint(words: words(errors) ?? "the shell that runs it was ended"))
        }
    }

    /// The lines that it said, in one; nil if it said nothing.
    private static func words(_ errors: [UInt8]) -> String? {
        let lines = String(decoding: errors, as: UTF8.self).fields(separatedBy: "\r\n")
        return lines.isEmpty ? nil : lines.joined(separator: ": ")
    }

    private static func notInstalled(_ cause: String) -> FleetAccessError {
        FleetAccessError(
            "ssh -G could not be run: \(cause)", consequence: "Nothing was stored.",
            next: .program(words: ["apt-get", "install", "openssh-client"]))
    }
}
