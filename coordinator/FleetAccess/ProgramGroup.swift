import Foundation
import Glibc
import Subprocess
import SystemPackage

/// A shell with what it starts, in a process group of its own: none of it outlives the command that asked for it.
///
/// The group is killed when the asking task throws or is cancelled. If this process is gone, for whatever reason, the shell
/// kills its group itself: its input has ended without the mark, which is its last line otherwise.
enum ProgramGroup {
    typealias Running = Execution<CustomWriteInput, SequenceOutput, SequenceOutput>

    /// Text of a shell's program, which has the mark in `$mark`. It passes its input on until the mark, and kills the group if
    /// there is none.
    static let watch = #"""
        while IFS= read -r line; do
            [ "$line" != "$mark" ] || exit 0
            printf '%s\n' "$line"
        done
        kill -s KILL 0
        """#

    /// Starts a shell, and ends it after the body.
    ///
    /// - Parameters:
    ///   - program: the shell's program; `$1` is the mark, and the words follow.
    ///   - words: no word becomes text of the program.
    ///   - variables: what is in its environment beside that of this process.
    /// - Throws: `SubprocessError` if there is no shell, or what the body throws.
    static func with<Result: Sendable>(
        _ program: String, _ words: [String] = [], _ variables: [String: String],
        body: (Running, _ mark: String) async throws -> Result
    ) async throws -> (result: Result, status: TerminationStatus) {
        // A shell that has ended is noticed by what it says, not by a signal to this process.
        signal(SIGPIPE, SIG_IGN)
        let mark = "lockflight-\(UUID().uuidString)"
        let variables = variables.map { (Environment.Key(stringLiteral: $0), Optional($1)) }
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        let ended = try await Subprocess.run(
            .path("/bin/sh"), arguments: Arguments(["-c", program, "sh", mark] + words),
            environment: .inherit.updating(Dictionary(uniqueKeysWithValues: variables)), platformOptions: options,
            input: .inputWriter, output: .sequence, error: .sequence
        ) { execution in
            let result = try await body(execution, mark)
            // One that has ended does not need it.
            _ = try? await execution.standardInputWriter.write(Array("\(mark)\n".utf8))
            return result
        }
        return (ended.closureResult, ended.terminationStatus)
    }

    // MARK: One program

    /// The program has no input, and none of the shell's. The watching process holds none of its streams open.
    private static let one = #"""
        mark=$1
        shift
        exec 3<&0
        {
        \#(watch)
        } <&3 3<&- >/dev/null 2>&1 &
        "$@" </dev/null 3<&-
        """#

    struct Ended: Sendable {
        var status: TerminationStatus
        var output: [UInt8]
        var errors: [UInt8]
    }

    enum Failure: Error {
        case late
        /// A stream had more than its limit.
        case tooLong
    }

    /// Runs one program to its end.
    ///
    /// - Parameters:
    ///   - words: the program, which is found in `PATH`, and its arguments.
    ///   - variables: what it has in its environment beside that of this process.
    ///   - limit: how long it may take.
    ///   - outputBytes: of its standard output.
    ///   - errorBytes: of its standard error.
    /// - Throws: `Failure`; `SubprocessError` if there is no shell; `CancellationError`. The program is ended then.
    static func run(
        _ words: [String], _ variables: [String: String], within limit: Duration, outputBytes: Int, errorBytes: Int
    ) async throws -> Ended {
        let (streams, status) = try await with(one, words, variables) { execution, _ in
            let (output, errors) = (execution.standardOutput, execution.standardError)
            return try await withThrowingTaskGroup(of: Part.self) { group in
                group.addTask { .output(try await bytes(of: output, atMost: outputBytes)) }
                group.addTask { .errors(try await bytes(of: errors, atMost: errorBytes)) }
                group.addTask {
                    try await Task.sleep(for: limit)
                    throw Failure.late
                }
                defer { group.cancelAll() }
                var streams = Streams()
                while streams.output == nil || streams.errors == nil, let part = try await group.next() {
                    switch part {
                    case .output(let bytes): streams.output = bytes
                    case .errors(let bytes): streams.errors = bytes
                    }
                }
                return streams
            }
        }
        return Ended(status: status, output: streams.output ?? [], errors: streams.errors ?? [])
    }

    private enum Part: Sendable {
        case output([UInt8])
        case errors([UInt8])
    }

    private struct Streams: Sendable {
        var output: [UInt8]?
        var errors: [UInt8]?
    }

    private static func bytes(of stream: SubprocessOutputSequence, atMost limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await buffer in stream {
            buffer.withUnsafeBytes { bytes.append(contentsOf: $0) }
            if bytes.count > limit { throw Failure.tooLong }
        }
        return bytes
    }
}
