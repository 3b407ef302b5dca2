import Foundation
import Glibc
import OperatorCommands
import PlanFiles
import Testing
import UpgradeDomain

@testable import Commands

/// How the files that a person names are read, and those that a plan names.
struct FileReadingTests {
    private let folder = NSTemporaryDirectory() + "lockflight-files-\(UUID().uuidString)"
    private let context = Context(
        commandLines: CommandLines(), ledgerPath: "none", isJSON: false, style: .plain, width: 200, isTerminal: false,
        environment: [:])

    private func inFolder(_ body: () throws -> Void) throws {
        try FileManager.default.createDirectory(atPath: "\(folder)/plans/below", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for path in ["outside", "plans/a", "plans/below/b"] {
            try Data("text of \(path)".utf8).write(to: URL(filePath: "\(folder)/\(path)"))
        }
        try body()
    }

    private func refusal(_ body: () throws -> String) -> String {
        do {
            return "read: \(try body())"
        } catch {
            return "\(error)"
        }
    }

    @Test func aPlanReadsRegularFilesOfItsFolderOnly() throws {
        try inFolder {
            let plans = "\(folder)/plans/"
            func read(_ path: String) -> String {
                refusal { try context.readFile(path, in: plans, limitBytes: 100) }
            }
            #expect(read("a") == "read: text of plans/a" && read("below/b") == "read: text of plans/below/b")
            symlink("below/b", plans + "in")
            symlink("../outside", plans + "out")
            symlink("..", plans + "up")
            mkfifo(plans + "pipe", 0o600)
            #expect(read("in") == "read: text of plans/below/b")
            #expect(read("out").contains("which is not in the folder of the plan file"))
            #expect(read("up/outside").contains("which is not in the folder of the plan file"))
            #expect(read("pipe").hasSuffix("is not a regular file"))
            #expect(read("below").hasSuffix("is a folder, not a file"))
            #expect(read("none").contains("can not be read: No such file or directory"))
        }
    }

    @Test func theOperatorMayNameAPipe() throws {
        try inFolder {
            let path = "\(folder)/pipe"
            mkfifo(path, 0o600)
            #expect(refusal { try context.readFile(path, mayStream: false) }.hasSuffix("is not a regular file"))
            // Whoever writes may come later.
            let writer = Process()
            writer.executableURL = URL(filePath: "/bin/sh")
            writer.arguments = ["-c", "printf words > \"$0\"", path]
            try writer.run()
            #expect(try context.readFile(path) == "words")
            writer.waitUntilExit()
        }
    }

    @Test func aLargeFileIsNotRead() throws {
        try inFolder {
            let path = "\(folder)/large"
            let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
            #expect(ftruncate(descriptor, 1 << 40) == 0)
            close(descriptor)
            #expect(refusal { try context.readFile(path) }.contains("is larger than the limit"))
        }
    }
}

/// A first plan's answers are checked where they are given.
struct PlanAnswersTests {
    private let answers = PlanAnswers(
        inventory: FleetInventory(
            layers: [InventoryLayer(name: "app", owners: ["ops"])],
            hosts: [
                Host(
                    name: "app-1", address: "10.0.0.1", user: "u", workingDirectory: "/srv",
                    placements: [HostPlacement(layer: "app")])
            ]), canAsk: false)

    @Test func aWrongAnswerIsNamedByItsOption() throws {
        func message(_ option: String, _ given: String, _ put: (inout PlanDraft) -> Void) -> String {
            do {
                try answers.check(option, given, put)
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(message("--unit", "x.service") { $0.evidence = [.unit("x.service")] } == "")
        #expect(
            message("--unit", "a b") { $0.evidence = [.unit("a b")] }.hasPrefix(
                "--unit 'a b': 'a b' is not the name of one unit; write it as systemctl shows it"))
        #expect(
            message("--rollback", "./x ${from") { $0.rollback = "./x ${from" }.contains("has a '${' without a '}'"))
        #expect(message("--path", "/x") { $0.path = .http("path", url: "/x") }.contains("URL '/x' does not begin"))
        #expect(message("--port", "0") { $0.evidence = [.tcp(port: 0)] }.contains("is 0; write a number from 1"))
    }
}
