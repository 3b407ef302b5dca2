import ArgumentParser
import CoordinatorRuntime
import Foundation
import Logging
import OperatorCommands
import Testing
import UpgradeDomain

@testable import Commands

/// What is written with --log-level and --log-file.
struct LogTests {
    private let path = NSTemporaryDirectory() + "lockflight-log-" + UUID().uuidString

    private func lines() throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init)
    }

    @Test func aLineHasTheTimeTheLevelTheMessageAndWhatItIsAbout() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let logger = try Logger.lines(from: .debug, to: path).about("core-1")
        logger.debug("connected", metadata: ["epoch": "3"])
        logger.trace("below the level")
        try Logger.lines(from: nil, to: path).debug("below info, which is a file's level unless another is given")
        try Logger.lines(from: nil, to: path).info("at the end")
        let lines = try lines()
        #expect(lines.count == 3 && lines[2].isEmpty, "\(lines)")
        #expect(lines[0].contains(#/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z debug connected epoch=3 host=core-1$/#))
        #expect(lines[1].hasSuffix("Z info at the end"))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func nothingThatAHostSaysBeginsALineOrSteersATerminal() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let logger = try Logger.lines(from: .info, to: path)
        logger.info(
            "could not connect", metadata: ["detail": "a \"quote\"\n2026 info all is well\u{1b}[2J", "none": ""])
        let lines = try lines()
        #expect(lines.count == 2)
        #expect(
            lines[0].hasSuffix(
                #" could not connect detail="a \"quote\"\u{a}2026 info all is well\u{1b}[2J" none="""#), "\(lines[0])")
    }

    @Test func aFileThatCanNotBeWrittenIsRefusedBeforeAnythingBegins() throws {
        let error = #expect(throws: CommandError.self) { try Logger.lines(from: .info, to: "/dev/null/log") }
        #expect(error?.status == .refused)
        #expect(error?.next == .program(words: ["ls", "-ld", "--", "/dev/null"]))
    }

    @Test func aFullDiskEndsNothing() throws {
        let logger = try Logger.lines(from: .info, to: "/dev/full")
        logger.info("lost")
    }

    @Test func anUnknownLevelNamesThoseThatThereAre() throws {
        let error = #expect(throws: ValidationError.self) { try Logger.Level.named("loud") }
        #expect(error?.message.contains("trace, debug, info, notice, warning, error, critical") == true)
    }
}
