import ArgumentParser
import CoordinatorRuntime
import Foundation
import Logging
import OperatorCommands
import SafeText
import SystemPackage

extension Logger.Level {
    /// - Throws: `ValidationError` with the words that there are.
    static func named(_ word: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: word) else {
            let levels = allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("'\(word)' is no level of the log; write one of \(levels)")
        }
        return level
    }
}

extension Logger {
    /// - Parameters:
    ///   - level: nil for nothing, or for `info` where there is a file.
    ///   - file: to whose end lines are written; nil for standard error.
    /// - Throws: ``CommandError`` where the file can not be written.
    static func lines(from level: Logger.Level?, to file: String?) throws -> Logger {
        guard level != nil || file != nil else { return .silent }
        let sink: LogSink = try file.map { try .file(LogFile($0)) } ?? .standardError
        return Logger(label: "lockflight") { _ in LineLogHandler(sink: sink, logLevel: level ?? .info) }
    }
}

/// Where lines of the log go.
enum LogSink: Sendable {
    case standardError
    case file(LogFile)

    func write(_ line: TerminalText) {
        switch self {
        case .standardError: Renderer.remark(line)
        case .file(let file): file.write(line)
        }
    }
}

/// A file that grows by whole lines. What it can not take any more is left out: no run ends for its log.
final class LogFile: Sendable {
    private let descriptor: FileDescriptor

    /// - Throws: ``CommandError``.
    init(_ path: String) throws {
        do {
            descriptor = try FileDescriptor.open(
                FilePath(path), .writeOnly, options: [.append, .create, .closeOnExec],
                permissions: [.ownerReadWrite])
        } catch {
            throw CommandError(
                .refused, "the log \(path) can not be written: \(error)", consequence: "Nothing was begun.",
                next: .program(words: ["ls", "-ld", "--", URL(filePath: path).deletingLastPathComponent().path]))
        }
    }

    deinit { try? descriptor.close() }

    func write(_ line: TerminalText) { _ = try? descriptor.writeAll(Array((line.written + "\n").utf8)) }
}

/// One line for each message: when, how grave, what, and what it is about, in the order of the keys.
struct LineLogHandler: LogHandler {
    let sink: LogSink
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let about = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let words =
            [time, event.level.rawValue, "\(event.message)"]
            + about.map { "\($0.key)=\(LineLogHandler.shown("\($0.value)"))" }
        sink.write("\(words.joined(separator: " "))")
    }

    /// As it is where it is one word, else in quotes.
    private static func shown(_ value: String) -> String {
        let isWord = !value.isEmpty && !value.utf8.contains { $0 <= 0x20 || $0 == 0x22 || $0 == 0x5c || $0 == 0x3d }
        if isWord { return value }
        let escaped = value.utf8.flatMap { $0 == 0x22 || $0 == 0x5c ? [0x5c, $0] : [$0] }
        return "\"" + String(decoding: escaped, as: UTF8.self) + "\""
    }
}
