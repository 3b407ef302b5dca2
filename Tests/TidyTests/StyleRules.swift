/// The house rules that a reader's eye should not have to check.
enum StyleRules {
    static let functionLinesLimit = 70
    static let fileLinesLimit = 500
    /// How far from a sleep the deadline that bounds it must be named.
    static let deadlineLinesLimit = 8

    static func violations(in file: SourceFile) -> [Violation] {
        guard file.isSwift else { return [] }
        return hiddenInputs(in: file) + forcedTries(in: file) + openSwitches(in: file) + long(file)
            + directOutput(in: file) + blindSleeps(in: file)
    }

    /// Pure targets are told the time, the ids and the seeds.
    private static func hiddenInputs(in file: SourceFile) -> [Violation] {
        guard file.isIn(ImportRules.pure) else { return [] }
        let hidden =
            /\bDate\(|\w+Clock\b\s*[.(]|SystemRandomNumberGenerator|\.random\b|\.shuffled?\(|ProcessInfo|\bgetenv\b|\bUUID\(/
        return file.violations(hidden, "a clock, randomness or the environment in a pure target; pass it in")
    }

    private static func forcedTries(in file: SourceFile) -> [Violation] {
        file.violations(/\btry!/, in: ["try!"], "try! ends the process without a story; throw instead")
    }

    /// A new state must break the build where it matters.
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

    /// Commands return values; Output/ renders them, and the executables' mains end the process.
    private static func directOutput(in file: SourceFile) -> [Violation] {
        guard file.isIn(["coordinator/Commands"]), !file.isIn(["coordinator/Commands/Output"]) else { return [] }
        return file.violations(
            /(^|[^.\w])(print|exit)\(/, in: ["print(", "exit("],
            "print( or exit( in a command; return a result instead")
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
