import SafeText
import Subprocess

/// A shell that runs `ssh` for one question after another, and prints a mark after each answer.
///
/// A small shell starts `ssh` faster than this process does, and a `timeout` around each `ssh` would be one more program
/// to start for each host. No word of a question becomes text of the shell's program: the shell reads each word as a line,
/// and passes it on as one argument.
///
/// The shell leads a ``ProgramGroup``, which contains what ssh_config starts.
struct AskingShell: Sendable {
    /// Of each stream, for one answer; `ssh -G` prints about 4 KiB.
    static let answerBytes = 1 << 20

    /// The first process passes on what is asked, and so notices the end of the input while an `ssh` runs. The second
    /// one reads how many words a question has, and the words.
    private static let program = #"""
        mark=$1
        {
        \#(ProgramGroup.watch)
        } | while IFS= read -r count; do
            set --
            while [ "$count" -gt 0 ] && IFS= read -r word; do
                set -- "$@" "$word"
                count=$((count - 1))
            done
            command ssh "$@" </dev/null
            end="$mark $?"
            printf '\n%s\n' "$end"
            printf '\n%s\n' "$end" >&2
        done
        """#

    /// What became of a question.
    enum Answer {
        /// Both streams of `ssh`, and its exit code as a shell has it.
        case exited(code: Int, output: [UInt8], errors: [UInt8])
        /// A word has a line end or a zero byte, which the shell can not read.
        case notAsked
        /// It took longer than it may.
        case late
        /// One stream had more than ``answerBytes``.
        case tooLong
        /// The shell has ended, after it said this.
        case ended(errors: [UInt8])

        /// Whether the shell answers nothing more: everything in its group is killed.
        var isLast: Bool {
            switch self {
            case .exited, .notAsked: false
            case .late, .tooLong, .ended: true
            }
        }
    }

    private let execution: ProgramGroup.Running
    private let output: MarkedStream
    private let errors: MarkedStream

    private init(_ execution: ProgramGroup.Running, mark: String) {
        self.execution = execution
        output = MarkedStream(execution.standardOutput, mark: mark)
        errors = MarkedStream(execution.standardError, mark: mark)
    }

    /// Starts a shell, and ends it after the body. What `ssh` left in the background keeps running.
    ///
    /// - Parameters:
    ///   - variables: what `ssh` has in its environment beside that of this process.
    ///   - body: asks the questions.
    /// - Throws: `SubprocessError` if there is no shell, or what the body throws.
    static func with<Result: Sendable>(
        _ variables: [String: String], body: (AskingShell) async throws -> Result
    ) async throws -> Result {
        try await ProgramGroup.with(program, [], variables.merging(["LC_ALL": "C"]) { $1 }) { execution, mark in
            try await body(AskingShell(execution, mark: mark))
        }.result
    }

    /// Asks one question; call it no more after an answer that ``Answer/isLast``.
    ///
    /// - Parameters:
    ///   - words: the arguments of `ssh`.
    ///   - limit: how long the answer may take.
    /// - Throws: `CancellationError`.
    func answer(to words: [String], within limit: Duration) async throws -> Answer {
        guard words.allSatisfy({ !$0.holds(anyOf: "\n\0") }) else { return .notAsked }
        let answer = try await firstAnswer(to: words, within: limit)
        if answer.isLast { try? execution.send(signal: .kill, toProcessGroup: true) }
        return answer
    }

    private func firstAnswer(to words: [String], within limit: Duration) async throws -> Answer {
        let question = Array("\(words.count)\n\(words.map { $0 + "\n" }.joined())".utf8)
        return try await withThrowingTaskGroup(of: Step.self) { group in
            group.addTask { .output(try await output.part()) }
            group.addTask { .errors(try await errors.part()) }
            group.addTask {
                try await Task.sleep(for: limit)
                return .late
            }
            defer { group.cancelAll() }
            // If the shell has ended, its streams say so.
            _ = try? await execution.standardInputWriter.write(question)
            var parts: (output: MarkedStream.Part?, errors: MarkedStream.Part?)
            while let step = try await group.next() {
                try Task.checkCancellation()
                switch step {
                case .late: return .late
                case .output(.tooLong), .errors(.tooLong): return .tooLong
                case .output(let part): parts.output = part
                case .errors(let part): parts.errors = part
                }
                switch parts {
                case (.marked(let output, let code)?, .marked(let errors, _)?):
                    return .exited(code: code, output: output, errors: errors)
                case (_?, .marked(let errors, _)?), (_?, .ended(let errors)?): return .ended(errors: errors)
                case (nil, _), (_, nil), (_, .tooLong?): continue
                }
            }
            throw CancellationError()
        }
    }

    private enum Step {
        case output(MarkedStream.Part)
        case errors(MarkedStream.Part)
        case late
    }
}

/// One stream of a shell, cut at the marks that it prints.
private actor MarkedStream {
    /// What came of it.
    enum Part {
        /// Up to a mark, and the number in it.
        case marked([UInt8], code: Int)
        /// Up to its end.
        case ended([UInt8])
        case tooLong
    }

    private var buffers: SubprocessOutputSequence.Iterator
    /// Its line up to the number, with the line end before it.
    private let mark: [UInt8]

    init(_ stream: SubprocessOutputSequence, mark: String) {
        buffers = stream.makeAsyncIterator()
        self.mark = Array("\n\(mark) ".utf8)
    }

    /// What comes up to the next mark. What a background process says after a mark is not kept, or comes with the next
    /// part.
    func part() async throws -> Part {
        var bytes: [UInt8] = []
        while bytes.count <= AskingShell.answerBytes {
            // A mark may begin in what was there before.
            let start = max(0, bytes.count - mark.count - MarkedStream.codeBytes)
            var reading = buffers
            guard let buffer = try await reading.next(isolation: self) else { return .ended(bytes) }
            buffers = reading
            buffer.withUnsafeBytes { bytes.append(contentsOf: $0) }
            if let (end, code) = firstMark(in: bytes, from: start) { return .marked(Array(bytes[..<end]), code: code) }
        }
        return .tooLong
    }

    /// An exit code, and a line end.
    private static let codeBytes = 4

    /// Where the first whole mark begins, and its number.
    private func firstMark(in bytes: [UInt8], from start: Int) -> (Int, Int)? {
        var rest = bytes[start...]
        while let begin = rest.firstIndex(of: 0x0a) {
            rest = rest[begin...]
            if rest.starts(with: mark) {
                let line = rest.dropFirst(mark.count)
                guard let end = line.firstIndex(of: 0x0a) else { return nil }
                if let code = Int(String(decoding: line[..<end], as: UTF8.self)) { return (begin, code) }
            }
            rest = rest.dropFirst()
        }
        return nil
    }
}
