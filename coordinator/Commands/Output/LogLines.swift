import ArgumentParser
import CoordinatorRuntime
import Dispatch
import Foundation
import Glibc
import Logging
import OperatorCommands
import SafeText
import Synchronization
import SystemPackage

extension Logger.Level {
    /// - Throws: `ValidationError` that lists the levels.
    static func named(_ word: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: word) else {
            let levels = allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("'\(word)' is not a log level; use one of: \(levels)")
        }
        return level
    }
}

/// Writes lines one after the other in the background, so that a paused terminal or a slow disk blocks nothing else.
final class LogWriter: Sendable {
    /// How many lines may wait to be written; further ones are dropped and counted.
    static let waitingLimit = 10_000
    /// How long the end of a command waits for these lines.
    static let patience = DispatchTimeInterval.seconds(2)

    private struct Backlog {
        var waiting = 0
        var lost = 0

        mutating func takeLost() -> Int {
            defer { lost = 0 }
            return lost
        }
    }

    private let queue = DispatchQueue(label: "log")
    private let backlog = Mutex(Backlog())
    private let put: @Sendable (TerminalText) -> Void

    /// - Parameter put: writes one line.
    init(_ put: @escaping @Sendable (TerminalText) -> Void) { self.put = put }

    func write(_ line: TerminalText) {
        let missing: Int? = backlog.withLock { backlog in
            if backlog.waiting >= LogWriter.waitingLimit {
                backlog.lost += 1
                return nil
            }
            backlog.waiting += 1
            return backlog.takeLost()
        }
        guard let missing else { return }
        queue.async { [self] in
            putMissing(missing)
            put(line)
            backlog.withLock { $0.waiting -= 1 }
        }
    }

    /// Waits until all logged lines are written, or ``patience`` has passed.
    func flush() {
        let missing = backlog.withLock { $0.takeLost() }
        let written = DispatchSemaphore(value: 0)
        queue.async { [self] in
            putMissing(missing)
            written.signal()
        }
        _ = written.wait(timeout: .now() + LogWriter.patience)
    }

    private func putMissing(_ count: Int) {
        if count > 0 { put("\(counted(count, "line")) dropped here: they came faster than they could be written") }
    }

    /// - Parameter level: nil for `info`.
    func logger(from level: Logger.Level?) -> Logger {
        Logger(label: "lockflight") { _ in LineLogHandler(writer: self, logLevel: level ?? .info) }
    }
}

extension LogWriter {
    /// To standard error.
    static func standardError() -> LogWriter { LogWriter { Renderer.remark($0) } }

    /// Appends to a file that only the caller can write, and creates it if needed. Lines that the disk rejects are
    /// dropped.
    ///
    /// - Parameter ledger: the path of the ledger, whose files are never written to.
    /// - Throws: ``CommandError`` for any other file, such as a link, a pipe, or a file that others can write.
    static func file(_ path: String, besides ledger: String) throws -> LogWriter {
        let descriptor: FileDescriptor
        do {
            // Does not wait for the reader of a pipe, and does not follow a link that somebody else has put there.
            descriptor = try FileDescriptor.open(
                FilePath(path), .writeOnly, options: [.append, .create, .closeOnExec, .noFollow, .nonBlocking],
                permissions: [.ownerReadWrite])
        } catch {
            throw refusal(of: path, "can not be written: \(error)")
        }
        do {
            try requireOwnFile(descriptor, path, besides: ledger)
        } catch {
            try? descriptor.close()
            throw error
        }
        return LogWriter { line in _ = try? descriptor.writeAll(Array((line.written + "\n").utf8)) }
    }

    private static func requireOwnFile(_ descriptor: FileDescriptor, _ path: String, besides ledger: String) throws {
        var found = stat()
        guard fstat(descriptor.rawValue, &found) == 0, found.st_mode & S_IFMT == S_IFREG else {
            throw refusal(of: path, "is not a regular file")
        }
        guard found.st_uid == geteuid(), found.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
            throw refusal(of: path, "can be written by others")
        }
        for name in [ledger, ledger + "-wal", ledger + "-shm"] {
            var kept = stat()
            if stat(name, &kept) == 0, kept.st_dev == found.st_dev, kept.st_ino == found.st_ino {
                throw refusal(of: path, "is the ledger's own file")
            }
        }
    }

    private static func refusal(of path: String, _ reason: String) -> CommandError {
        CommandError(
            .refused, "the log \(path) \(reason)", consequence: "Nothing was started.",
            next: .program(words: ["ls", "-ld", "--", URL(filePath: path).deletingLastPathComponent().path, path]))
    }
}

/// One line for each message: time, level, message, and metadata sorted by key.
struct LineLogHandler: LogHandler {
    let writer: LogWriter
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var about = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        if let error = event.error { about["error"] = "\(error)" }
        let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let words =
            [time, event.level.rawValue, "\(event.message)"]
            + about.sorted { $0.key < $1.key }.map { "\($0.key)=\(LineLogHandler.shown("\($0.value)"))" }
        writer.write("\(words.joined(separator: " "))")
    }

    /// Unchanged if it is one word, else in quotes.
    private static func shown(_ value: String) -> String {
        let isWord = !value.isEmpty && !value.utf8.contains { $0 <= 0x20 || $0 == 0x22 || $0 == 0x5c || $0 == 0x3d }
        if isWord { return value }
        let escaped = value.utf8.flatMap { $0 == 0x22 || $0 == 0x5c ? [0x5c, $0] : [$0] }
        return "\"" + String(decoding: escaped, as: UTF8.self) + "\""
    }
}
