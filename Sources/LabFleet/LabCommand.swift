import Foundation
import Subprocess
import SystemPackage

/// Runs a program to its end.
enum LabCommand {
    static let outputBytes = 1_048_576

    struct Result {
        var succeeded: Bool
        var output: String
        var errors: String
    }

    static func run(
        _ program: String, _ arguments: [String], in folder: String? = nil, environment: [String: String] = [:]
    ) async throws(LabError) -> Result {
        do {
            var values: [Environment.Key: String?] = [:]
            for (name, value) in environment { values[Environment.Key(stringLiteral: name)] = value }
            let record = try await Subprocess.run(
                program.contains("/") ? .path(FilePath(program)) : .name(program), arguments: Arguments(arguments),
                environment: .inherit.updating(values),
                workingDirectory: folder.map { FilePath($0) }, output: .string(limit: outputBytes),
                error: .string(limit: outputBytes))
            return Result(
                succeeded: record.terminationStatus.isSuccess, output: record.standardOutput,
                errors: record.standardError)
        } catch {
            throw LabError(
                .missingProgram, "\(program) could not be run: \(error); `make setup` installs what the lab needs")
        }
    }

    /// Runs a program that must succeed.
    @discardableResult
    static func require(
        _ program: String, _ arguments: [String], in folder: String? = nil, environment: [String: String] = [:]
    ) async throws(LabError) -> String {
        let result = try await run(program, arguments, in: folder, environment: environment)
        guard result.succeeded else {
            let words = result.errors.isEmpty ? result.output : result.errors
            throw LabError(.commandFailed, "`\(program) \(arguments.joined(separator: " "))` failed: \(words)")
        }
        return result.output
    }
}

/// File operations that throw the lab's errors.
enum LabFile {
    static func write(_ text: String, to path: String, mode: Int = 0o644) throws(LabError) {
        try write(Array(text.utf8), to: path, mode: mode)
    }

    static func write(_ bytes: [UInt8], to path: String, mode: Int = 0o644) throws(LabError) {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        } catch {
            throw LabError(.fileSystem, "\(path) could not be written: \(error.localizedDescription)")
        }
    }

    static func read(_ path: String) throws(LabError) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw LabError(.fileSystem, "\(path) could not be read")
        }
        return String(decoding: data, as: UTF8.self)
    }

    static func makeFolder(_ path: String) throws(LabError) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw LabError(.fileSystem, "the folder \(path) could not be made: \(error.localizedDescription)")
        }
    }

    static func move(_ path: String, to target: String) throws(LabError) {
        do {
            try FileManager.default.moveItem(atPath: path, toPath: target)
        } catch {
            throw LabError(.fileSystem, "\(path) could not be moved: \(error.localizedDescription)")
        }
    }

    static func remove(_ path: String) throws(LabError) {
        guard exists(path) else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw LabError(.fileSystem, "\(path) could not be removed: \(error.localizedDescription)")
        }
    }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
