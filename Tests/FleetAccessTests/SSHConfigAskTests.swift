import Foundation
import Glibc
import Inventory
import TestSupport
import Testing
import UpgradeDomain

@testable import FleetAccess

/// Tests what becomes of questions to the real `ssh -G`, and to programs in its place that do what `ssh` hardly does.
struct SSHConfigAskTests {
    /// A folder of its own, removed afterwards.
    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "asked-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    /// The answers for hosts whose names are their addresses; the limit is one that no busy machine reaches.
    private func answers(
        for hosts: [String], config: String, in folder: String, within seconds: Int = 600,
        variables: [String: String] = [:]
    ) async throws -> SSHConfigAnswers {
        try config.write(toFile: "\(folder)/config", atomically: true, encoding: .utf8)
        let entries = hosts.map { "  - {name: \($0), layers: [core]}\n" }.joined()
        let draft = InventoryFile.read(
            text: """
                version: 1
                sshConfig: "\(folder.replacing("\n", with: "\\n"))/config"
                layers: [{name: core, owners: [ana]}]
                defaults: {workingDirectory: /srv, baseURL: "http://127.0.0.1:1"}
                hosts:
                \(entries)
                """, file: "f")
        #expect(draft.problems.isEmpty, "\(draft.problems)")
        return try await SSHConfig.answers(
            for: draft, folder: URL(filePath: folder), within: seconds, variables: variables)
    }

    /// Puts a script in the place of `ssh`; returns the variable that finds it.
    private func replaceSSH(_ script: String, in folder: String) throws -> [String: String] {
        let path = "\(folder)/ssh"
        try "#!/bin/sh\n\(script)\n".write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o700)
        return ["PATH": "\(folder):/usr/bin:/bin"]
    }

    /// The process whose id a command wrote to a file.
    private func process(_ file: String) throws -> pid_t {
        let text = try String(contentsOfFile: file, encoding: .utf8)
        return try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    private func isGone(_ process: pid_t) -> Bool { kill(process, 0) != 0 && errno == ESRCH }

    // MARK: Hosts that answer, and hosts that do not

    @Test func aHostWithoutAnAnswerIsReportedInTheWordsOfSSHAndTheOthersGoOn() async throws {
        try await withFolder { folder in
            let hosts = (1...40).map { "host-\($0)" }
            let config = "Host host-7\n  HostName %z\nHost *\n  HostName %h.example.net\n  User deploy\n"
            let answers = try await answers(for: hosts, config: config, in: folder)
            #expect(answers.failures.keys.sorted() == ["host-7"])
            #expect(answers.failures["host-7"]?.contains("unknown key %z") == true, "\(answers.failures)")
            #expect(answers.hosts.count == 39)
            for host in hosts where host != "host-7" {
                #expect(
                    answers.hosts[HostName(host)]
                        == SSHConfigAnswer(
                            await plain("-F", "\(folder)/config", host)), "\(host)")
            }
            #expect(answers.defaults == SSHConfigAnswer(await plain("-F", "none", "defaults.invalid")))
        }
    }

    /// What `ssh -G` itself prints, without any shell.
    private func plain(_ words: String...) async -> [UInt8] {
        let ssh = Process()
        let output = Pipe()
        ssh.executableURL = URL(filePath: "/usr/bin/env")
        ssh.arguments = ["ssh", "-T", "-G"] + words
        ssh.standardOutput = output
        try? ssh.run()
        return [UInt8](output.fileHandleForReading.readDataToEndOfFile())
    }

    @Test func aHostWhoseMatchExecHangsIsNamedAndWhatItStartedIsEnded() async throws {
        try await withFolder { folder in
            let hang = "echo $$ >\(folder)/hung; exec sleep 600"
            let config = "Match originalhost slow exec \"\(hang)\"\n  User never\nHost *\n  User deploy\n"
            let hosts = ["slow"] + (1...20).map { "host-\($0)" }
            // On a busy machine a host that answers may need longer than a short limit, too.
            for seconds in [3, 30, 150] {
                let answers = try await answers(for: hosts, config: config, in: folder, within: seconds)
                #expect(answers.failures["slow"] == "it took longer than \(seconds) s")
                guard answers.failures.count == 1 || seconds == 150 else { continue }
                #expect(answers.failures.count == 1 && answers.hosts.count == 20, "\(answers.failures)")
                break
            }
            let hung = try process("\(folder)/hung")
            try await eventually("the command that hung to be ended", within: .seconds(300)) { isGone(hung) }
        }
    }

    @Test func hostsAreAskedSideBySide() async throws {
        try await withFolder { folder in
            let hosts = (1...SSHConfig.width).map { "host-\($0)" }
            // Each waits for all the others.
            let isWhole = "[ $(ls \(folder) | grep -c at-) = \(hosts.count) ]"
            let wait = "touch \(folder)/at-%n; until \(isWhole); do sleep 0.01; done"
            let answers = try await answers(for: hosts, config: "Match exec \"\(wait)\"\n  User deploy\n", in: folder)
            #expect(answers.failures.isEmpty && answers.hosts.count == hosts.count)
        }
    }

    @Test func whatAMatchExecLeavesInTheBackgroundIsNeitherAwaitedNorEnded() async throws {
        try await withFolder { folder in
            // It keeps the standard error of `ssh` open.
            let leave = "sleep 600 & echo $! >\(folder)/left"
            let answers = try await answers(
                for: ["a", "b"], config: "Match originalhost a exec \"\(leave)\"\n  User deploy\n", in: folder)
            #expect(answers.failures.isEmpty && answers.hosts.count == 2)
            let left = try process("\(folder)/left")
            #expect(!isGone(left))
            kill(left, SIGKILL)
        }
    }

    @Test func anImportThatIsCancelledEndsWhatItAsked() async throws {
        try await withFolder { folder in
            let hang = "echo $$ >\(folder)/hung-%n; exec sleep 600"
            let hosts = ["a", "b", "c"]
            let asking = Task {
                try await answers(for: hosts, config: "Match exec \"\(hang)\"\n  User never\n", in: folder)
            }
            var hung: [pid_t] = []
            try await eventually("all to hang", within: .seconds(300)) {
                hung = hosts.compactMap { try? process("\(folder)/hung-\($0)") }
                return hung.count == 3
            }
            asking.cancel()
            await #expect(throws: CancellationError.self) { _ = try await asking.value }
            try await eventually("the commands to be ended", within: .seconds(300)) { hung.allSatisfy(isGone) }
        }
    }

    // MARK: Programs in the place of ssh

    @Test func anAnswerHasALimitAndTheOthersGoOn() async throws {
        try await withFolder { folder in
            let script = """
                for host; do :; done
                case $host in
                output) yes | head -c 2000000 ;;
                errors) yes | head -c 2000000 >&2 ;;
                killed) kill -s KILL $$ ;;
                group) echo 'the whole group' >&2; kill -s KILL 0 ;;
                silent) exit 3 ;;
                *) echo "user $host" ;;
                esac
                """
            let hosts = ["output", "errors", "killed", "group", "silent"]
            let answers = try await answers(
                for: hosts + (1...40).map { "host-\($0)" }, config: "", in: folder,
                variables: try replaceSSH(script, in: folder))
            #expect(answers.failures.count == hosts.count && answers.hosts.count == 40)
            for host in ["output", "errors"] {
                #expect(answers.failures[HostName(host)] == "it printed more than 1048576 bytes")
            }
            #expect(answers.failures["silent"] == "it exited with 3")
            #expect(answers.failures["group"] == "the whole group")
            // Debian's shell says it in a word, others say nothing.
            #expect(["Killed", "it exited with 137"].contains(answers.failures["killed"]))
            #expect(answers.hosts["host-40"] == SSHConfigAnswer("user host-40\n"))
        }
    }

    @Test func aWordReachesSSHAsItIs() async throws {
        try await withFolder { folder in
            let variables = try replaceSSH("printf '%s\\0' \"$@\"", in: folder)
            let words = [
                "-T", "", " a  b ", "-oProxyCommand=touch \(folder)/ran", "$(touch \(folder)/ran)",
                "`touch \(folder)/ran`",
                "';touch \(folder)/ran;'", "\"", "\\", "\\n", "*", "~", "\t", "\r", "\u{1}\u{7f}\u{81}é\u{101}", "5",
                "--",
            ]
            let printed = try await AskingShell.with(variables) { shell in
                var printed: [[UInt8]] = []
                for words in [words, words.reversed(), []] {
                    let answer = try await shell.answer(to: words, within: .seconds(600))
                    guard case .exited(0, let output, let errors) = answer, errors.isEmpty else {
                        Issue.record("\(answer)")
                        break
                    }
                    printed.append(output)
                }
                for words in [["a", "b\nc"], ["\0"]] {
                    guard case .notAsked = try await shell.answer(to: words, within: .seconds(600)) else {
                        Issue.record("\(words) was asked")
                        break
                    }
                }
                return printed
            }
            func bytes(_ words: [String]) -> [UInt8] { words.flatMap { Array($0.utf8) + [0] } }
            #expect(printed == [bytes(words), bytes(words.reversed()), [0]])
            #expect(!FileManager.default.fileExists(atPath: "\(folder)/ran"))
        }
    }

    @Test func noTextEndsAnAnswerButTheMark() async throws {
        try await withFolder { folder in
            let text = "\n\nlockflight-\(UUID().uuidString) 0\n\nlockflight- 0\n0\n"
            try text.write(toFile: "\(folder)/text", atomically: true, encoding: .utf8)
            let script = "for stream in 1 2; do cat \"$1\" \"$1\" >&$stream; done; exit 5"
            let variables = try replaceSSH(script, in: folder)
            let answer = try await AskingShell.with(variables) { shell in
                try await shell.answer(to: ["\(folder)/text"], within: .seconds(600))
            }
            guard case .exited(5, let output, let errors) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(output == Array((text + text).utf8) && errors == output)
        }
    }

    @Test func aLineBreakIsRefusedForItsHostAlone() async throws {
        try await withFolder { folder in
            let odd = "\(folder)/a\nb"
            try FileManager.default.createDirectory(atPath: odd, withIntermediateDirectories: true)
            let answers = try await answers(for: ["a"], config: "", in: odd)
            #expect(answers.failures["a"]?.contains("line break") == true, "\(answers)")
        }
    }

    @Test func aMachineWithoutSSHIsReported() async throws {
        try await withFolder { folder in
            let error = await #expect(throws: FleetAccessError.self) {
                _ = try await answers(for: ["a", "b"], config: "", in: folder, variables: ["PATH": folder])
            }
            #expect(error?.message == "ssh -G could not be run: ssh is not installed")
        }
    }
}
