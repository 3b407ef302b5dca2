import ArgumentParser
import Foundation
import Testing

@testable import Commands

/// Every command has a description and an example.
struct HelpTests {
    private func all(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        [command] + command.configuration.subcommands.flatMap(all)
    }

    @Test func everyCommandHasAnAbstractAndAnExample() {
        let commands = all(Lockflight.self).dropFirst()
        #expect(commands.count > 30)
        for command in commands {
            let configuration = command.configuration
            #expect(!configuration.abstract.isEmpty, "\(command)")
            #expect(configuration.discussion.contains("Example: lockflight "), "\(command)")
        }
    }

    @Test func theExamplesParse() throws {
        for command in all(Lockflight.self).dropFirst() where command.configuration.subcommands.isEmpty {
            let discussion = command.configuration.discussion
            let joined = discussion.replacingOccurrences(of: " \\\n", with: " ")
            for start in joined.ranges(of: "Example: lockflight ") {
                let line = joined[start.upperBound...].prefix { $0 != "\n" }
                let words = line.replacing(/'([^']*)'/) { $0.output.1.replacing(" ", with: "_") }.split(separator: " ")
                    .map(String.init)
                #expect(throws: Never.self, "\(line)") { _ = try Lockflight.parseAsRoot(words) }
            }
        }
    }

    /// Help is wrapped at the width of the terminal, and a command that is broken without `\` can not be copied.
    @Test func theExamplesFitATerminalOf80Columns() {
        for command in all(Lockflight.self) {
            var isExample = false
            for line in command.configuration.discussion.split(separator: "\n") {
                isExample = line.hasPrefix("Example: ") || (isExample && line.hasPrefix(" "))
                #expect(!isExample || line.count <= 80, "\(command): \(line)")
            }
        }
    }

    @Test(arguments: [
        ["rollback"], ["rollback", "--host", "a", "--all"], ["rollout", "rerun", "--host", "a", "--sign-off", "o"],
        ["lab", "break", "h", "no-such-fault"], ["lab", "up", "--hosts", "0"], ["nonsense"], ["plan", "approve", "p"],
    ])
    func contradictionsAreRefusedAsUsageErrors(_ words: [String]) {
        do {
            _ = try Lockflight.parseAsRoot(words)
            Issue.record("\(words) was accepted")
        } catch {
            #expect(Lockflight.exitCode(for: error).rawValue == ExitStatus.usage.rawValue)
        }
    }
}
