/// The house rules that a reader's eye should not have to check.
enum StyleRules {
    static let functionLinesLimit = 70
    static let fileLinesLimit = 500
    /// How far from a sleep the deadline that bounds it must be named.
    static let deadlineLinesLimit = 8

    static func violations(in file: SourceFile) -> [Violation] {
        guard file.isSwift else { return [] }
        return hiddenInputs(in: file) + forcedTries(in: file) + openSwitches(in: file) + long(file)
            + directOutput(in: file) + writtenCommands(in: file) + characters(in: file) + blindSleeps(in: file)
            + otherPlatforms(in: file) + publicDeclarations(in: file) + crowdedCommands(in: file) + plurals(in: file)
    }

    /// Pure targets receive the time, the ids and the seeds as parameters.
    private static func hiddenInputs(in file: SourceFile) -> [Violation] {
        guard file.isIn(ImportRules.pure) else { return [] }
        let hidden =
            /\bDate\(|\w+Clock\b\s*[.(]|SystemRandomNumberGenerator|\.random\b|\.shuffled?\(|ProcessInfo|\bgetenv\b|\bUUID\(/
        return file.violations(hidden, "a clock, randomness or the environment in a pure target; pass it in")
    }

    /// A branch that none of our machines compiles is never tested.
    private static func otherPlatforms(in file: SourceFile) -> [Violation] {
        file.violations(/^\s*#(if|elseif) !?(canImport|os)\(/, in: ["#if", "#elseif"], "Linux alone is built for")
    }

    /// No code outside of this package imports its targets.
    private static func publicDeclarations(in file: SourceFile) -> [Violation] {
        file.violations(
            /^\s*(@\w+(\([^)]*\))? )*(\w+(\(set\))? )*public\s/, in: ["public "],
            "nothing outside of the package needs it: package")
    }

    /// Each command is in the file that has its name.
    private static func crowdedCommands(in file: SourceFile) -> [Violation] {
        guard file.isIn(["coordinator/Commands"]) else { return [] }
        let command = /^(\w+ )*struct \w+: (LockflightCommand|ParsableCommand|AsyncParsableCommand)\b/
        return Array(
            file.violations(command, in: ["Command"], "a second command in one file; give it a file of its own")
                .dropFirst())
    }

    /// A count of one must not be written as *1 hosts*.
    private static func plurals(in file: SourceFile) -> [Violation] {
        guard file.isIn(productFolders) else { return [] }
        let plural = /\.count\)+ [a-z]+s\b/.wordBoundaryKind(.simple)
        return file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap {
            index, line in
            guard line.contains(".count)"), !line.contains(/^\s*\/\//), line.contains(plural) else { return nil }
            return Violation(
                path: file.path, line: index + 1, problem: "a number beside its noun; write counted(_:_:)")
        }
    }

    private static func forcedTries(in file: SourceFile) -> [Violation] {
        file.violations(/\btry!/, in: ["try!"], "try! ends the process without a story; throw instead")
    }

    /// A new state must break the build wherever it matters.
    private static func openSwitches(in file: SourceFile) -> [Violation] {
        guard file.isIn(["Sources/RolloutEngine"]) else { return [] }
        return file.violations(/^\s*(@unknown )?default:/, "default: in the engine hides a new state; name every case")
    }

    private static func long(_ file: SourceFile) -> [Violation] {
        var found = SwiftCode.functions(in: file.code).filter { $0.lines > functionLinesLimit }.map { function in
            Violation(
                path: file.path, line: function.line,
                problem: "\(function.name) has \(function.lines) lines, more than \(functionLinesLimit)")
        }
        let lines = file.code.count - (file.text.hasSuffix("\n") ? 1 : 0)
        if lines > fileLinesLimit {
            found.append(
                Violation(path: file.path, line: lines, problem: "\(lines) lines, more than \(fileLinesLimit)"))
        }
        return found
    }

    private static let productFolders = ["Sources", "agent", "coordinator", "inventory"]

    /// The code that writes to an operator or, in the agent, to its coordinator.
    private static let writers = [
        "coordinator/Commands/Output/Renderer.swift", "agent/AgentRuntime/AgentProgram.swift",
    ]

    /// Commands return values; the renderer writes them, and the executables' main files end the process.
    private static func directOutput(in file: SourceFile) -> [Violation] {
        guard file.isIn(productFolders), !writers.contains(file.path) else { return [] }
        let writing = file.violations(
            /(^|[^.\w])(print|debugPrint|dump|fputs|puts|putchar)\(|\bSTD(OUT|ERR)_FILENO\b|\bFileHandle\.standard(Output|Error)\b/,
            in: ["print(", "Print(", "dump(", "put", "_FILENO", "FileHandle.standard"],
            "writes to standard output or standard error; return a result, which the renderer writes")
        guard file.isIn(["coordinator/Commands"]) else { return writing }
        return writing
            + file.violations(/(^|[^.\w])exit\(/, in: ["exit("], "exit( in a command; return a result instead")
    }

    /// A suggested command is an enum case that `CommandLines` writes. Help pages have examples, which a test parses.
    private static func writtenCommands(in file: SourceFile) -> [Violation] {
        guard file.isIn(productFolders), file.path != "coordinator/Commands/Lockflight.swift" else { return [] }
        let command =
            /lockflight (inventory|plan|policy|rollout|recover|rollback|status|report|evidence|events|lease|ledger|backup|restore|lab)\b/
        return file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap {
            index, line in
            guard line.contains("lockflight "), !line.contains("Example: lockflight "), !line.contains(/^\s*\/\//),
                line.contains(command)
            else { return nil }
            return Violation(
                path: file.path, line: index + 1, problem: "a command line as text; name an OperatorCommand")
        }
    }

    /// Text from outside is cut and compared by bytes or scalars.
    private static func characters(in file: SourceFile) -> [Violation] {
        guard file.isIn(productFolders), !file.isIn(["Sources/SafeText", "Sources/LabFleet"]) else { return [] }
        let problem =
            "looks at characters; use SafeText's Scan: one character may be CR LF, or a sign and the mark that follows it"
        let calls = file.violations(
            /\.has(Pre|Suf)fix\(|\.split\(separator: "|\.components\(separatedBy|\.trimmingCharacters\(/,
            in: [".has", ".split(", ".components(", ".trimming"], problem)
        // Properties of a scalar are not properties of a character.
        let kinds = file.violations(
            /(^|\W|\b(?!properties\b)\w+)\.is(Newline|Whitespace|Number|Letter|HexDigit)\b/,
            in: [".isN", ".isW", ".isL", ".isHex"],
            problem)
        // In quotation marks: one character, possibly escaped. A longer word is an element of a list.
        let signs = file.violations(
            /Index\(of: " {1,2}"|\.(prefix|drop|split)(\(\w+:)? \{ \$0 [!=]= "/, in: ["Index(of: ", "{ $0 "], problem)
        // The contents of strings are only in `text`.
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        let searches = lines.compactMap { index, line -> Violation? in
            guard line.contains(".contains(\""), !line.contains(/^\s*\/\//),
                line.contains(/\.contains\("([^A-Za-z0-9"\\]|\\.)+"\)/)
            else { return nil }
            return Violation(path: file.path, line: index + 1, problem: problem)
        }
        return calls + kinds + signs + searches
    }

    private static func blindSleeps(in file: SourceFile) -> [Violation] {
        guard file.isIn(["Tests"]) else { return [] }
        let sleeping = file.violations(
            /\busleep\(|\bThread\.sleep|(^|[^.\w])sleep\(/, in: ["sleep"],
            "a sleep without a deadline; poll a condition")
        return sleeping.filter { violation in
            let first = max(0, violation.line - 1 - deadlineLinesLimit)
            return !file.code[first..<violation.line].contains { $0.contains("deadline") }
        }
    }
}
