import ArgumentParser
import CoordinatorRuntime
import Foundation
import Logging
import OperatorCommands
import SafeText
import Synchronization
import Testing
import UpgradeDomain

@testable import Commands

/// Tests the log that --log-level and --log-file control.
struct LogTests {
    private let folder = NSTemporaryDirectory() + "lockflight-log-" + UUID().uuidString
    private var path: String { folder + "/run.log" }

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    private func inFolder(_ body: () throws -> Void) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body()
    }

    private func log(from level: Logger.Level? = nil, _ body: (Logger) -> Void) throws {
        let writer = try LogWriter.file(path, besides: folder + "/ledger.sqlite")
        body(writer.logger(from: level))
        writer.flush()
    }

    private func lines() throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }

    @Test func aLineHasTheTimeTheLevelTheMessageAndWhatItIsAbout() throws {
        try inFolder {
            try log(from: .debug) { logger in
                logger.about("core-1").debug("connected", metadata: ["epoch": "3"])
                logger.trace("below the level")
            }
            try log { logger in
                logger.debug("below info, which is the level unless another is given")
                logger.info("at the end")
            }
            let lines = try lines()
            #expect(lines.count == 3 && lines[2].isEmpty, "\(lines)")
            #expect(
                lines[0].contains(
                    #/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z debug connected epoch=3 host=core-1$/#))
            #expect(lines[1].hasSuffix("Z info at the end"))
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }

    @Test func hostTextNeverStartsALogLineOrControlsATerminal() throws {
        try inFolder {
            try log { logger in
                logger.info(
                    "could not connect",
                    metadata: ["detail": "a \"quote\"\n2026 info all is well\u{1b}[2J", "none": ""])
            }
            let lines = try lines()
            #expect(lines.count == 2)
            #expect(
                lines[0].hasSuffix(
                    #" could not connect detail="a \"quote\"\u{a}2026 info all is well\u{1b}[2J" none="""#),
                "\(lines[0])")
        }
    }

    @Test func aLogFileThatIsNotTheCallersAloneIsRefusedAtTheStart() throws {
        try inFolder {
            let shared = folder + "/shared"
            try Data("theirs".utf8).write(to: URL(filePath: shared))
            try FileManager.default.setAttributes([.posixPermissions: 0o620], ofItemAtPath: shared)
            try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: path)
            #expect(mkfifo(folder + "/pipe", 0o600) == 0)
            try Data("ours".utf8).write(to: URL(filePath: folder + "/ledger.sqlite-wal"))
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: folder + "/ledger.sqlite-wal")
            for name in ["shared", "link", "pipe", "ledger.sqlite-wal", "none/log", ""] {
                let error = #expect(throws: CommandError.self, "\(name)") {
                    try LogWriter.file(folder + "/" + name, besides: folder + "/ledger.sqlite")
                }
                #expect(error?.status == .refused)
                #expect(error?.consequence == "Nothing was started.")
            }
            #expect(try String(contentsOfFile: shared, encoding: .utf8) == "theirs")
        }
    }

    @Test func loggingNeverBlocksAndDroppedLinesAreCounted() throws {
        try inFolder {
            let seen = Mutex<[TerminalText]>([])
            let isOpen = DispatchSemaphore(value: 0)
            let writer = LogWriter { line in
                isOpen.wait()
                isOpen.signal()
                seen.withLock { $0.append(line) }
            }
            for number in 0..<(LogWriter.waitingLimit + 7) { writer.write("\(number)") }
            isOpen.signal()
            writer.flush()
            writer.write("after")
            writer.flush()
            let lines = seen.withLock { $0 }
            #expect(lines.contains("7 lines dropped here: they came faster than they could be written"))
            #expect(lines.count == LogWriter.waitingLimit + 2 && lines.last == "after")
        }
    }

    @Test func anUnknownLevelIsRefusedWithTheKnownOnes() {
        let error = #expect(throws: ValidationError.self) { try Logger.Level.named("loud") }
        #expect(error?.message.contains("trace, debug, info, notice, warning, error, critical") == true)
    }
}
