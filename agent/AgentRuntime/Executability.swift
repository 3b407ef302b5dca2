import CLinux
import Glibc
import SafeText
import UpgradeDomain

/// Whether a command of a plan can be executed here, and why not. Each obstacle has its own message, because the kernel
/// has one errno for most of them.
enum Executability {
    /// The longest first line that the kernel reads (execve(2)), and more than a program header needs.
    private static let headBytes = 4_096

    /// Why a command cannot run: the argument at fault, and the reason.
    static func hindrances(to command: ScriptCommand, _ setting: CommandSetting) -> [String] {
        var found: [String] = []
        if let reason = hindrance(toExecuting: setting.executable, setting) {
            found.append("\(command.arguments[0]) (\(reason))")
        }
        if command.scriptPath != command.arguments[0],
            let reason = hindrance(toReading: setting.script)
                ?? carriageReturn(in: setting.script, readBy: command.arguments[0])
        {
            found.append("\(command.scriptPath) (\(reason))")
        }
        return found
    }

    /// Why a file cannot be read; nil if it can.
    static func hindrance(toReading file: String) -> String? { hindrance(to: file, R_OK) }

    private static func hindrance(toExecuting file: String?, _ setting: CommandSetting) -> String? {
        guard let file else { return "not in PATH" }
        return hindrance(to: file, X_OK) ?? hindranceInside(file, setting)
    }

    private static func hindrance(to file: String, _ mode: Int32) -> String? {
        var status = stat()
        guard stat(file, &status) == 0 else { return errno == ENOENT ? "not there" : systemErrorText(errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { return "not a regular file" }
        guard access(file, mode) != 0 else { return nil }
        let failure = errno
        guard mode == X_OK else { return systemErrorText(failure) }
        var volume = statvfs()
        let noExecution: UInt = 8  // ST_NOEXEC of statvfs(3)
        if statvfs(file, &volume) == 0, UInt(volume.f_flag) & noExecution != 0 {
            return "nothing may be executed there: its file system is mounted noexec"
        }
        return status.st_mode & 0o111 == 0 ? "not executable: its mode has no x" : systemErrorText(failure)
    }

    // MARK: The content of the file

    private static func hindranceInside(_ file: String, _ setting: CommandSetting) -> String? {
        guard let head = head(of: file) else {
            // A program may be executable without being readable.
            return nil
        }
        if head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) { return hindrance(inProgram: head, file) }
        if !head.starts(with: Array("#!".utf8)), emulatorsAreThere { return nil }
        guard head.starts(with: Array("#!".utf8)) else {
            return
                "neither a program nor a script with a first line like '#!/bin/bash': put its interpreter before it"
        }
        let line = String(decoding: head.dropFirst(2).prefix { $0 != 0x0a }, as: UTF8.self)
        if line.ends(with: "\r") {
            return
                "its first line ends with a carriage return, as a Windows editor or git's autocrlf leaves it, so the interpreter "
                + "'\(line.trimmed)' is not found; convert it with: sed -i 's/\\r$//' FILE"
        }
        let words = line.fields().map(String.init)
        guard let interpreter = words.first else { return "its first line names no interpreter" }
        if let reason = hindrance(to: absolutePath(interpreter, in: setting.workingDirectory), X_OK) {
            return "its interpreter \(interpreter): \(reason)"
        }
        guard interpreter.ends(with: "/env"), words.count == 2, !words[1].begins(with: "-") else { return nil }
        let isThere = (setting.environment["PATH"] ?? "").fields(separatedBy: ":").contains {
            isExecutableFile(absolutePath("\($0)/\(words[1])", in: setting.workingDirectory))
        }
        return isThere || words[1].holds(anyOf: "=/") ? nil : "its interpreter \(words[1]): not in PATH"
    }

    /// A shell treats the carriage return at the end of a line as part of the last word.
    private static func carriageReturn(in script: String, readBy program: String) -> String? {
        let name = program.cut(atLast: "/")?.after ?? program[...]
        guard ["sh", "bash", "dash", "ksh", "zsh"].contains(where: { name.isSpelled($0) }), let head = head(of: script),
            head.prefix(while: { $0 != 0x0a }).last == 0x0d, head.contains(0x0a)
        else { return nil }
        return
            "its lines end with carriage returns, as a Windows editor or git's autocrlf leaves them, which \(name) takes as part of "
            + "the commands; convert it with: sed -i 's/\\r$//' FILE"
    }

    /// The processor that a program is built for, and the loader that it needs (elf(5)).
    private static func hindrance(inProgram head: [UInt8], _ file: String) -> String? {
        guard let own = Executability.head(of: "/proc/self/exe"), head.count >= 64, own.count >= 64 else { return nil }
        let (machine, ownMachine) = (head.number(at: 18, bytes: 2), own.number(at: 18, bytes: 2))
        // The 32-bit variant of a 64-bit processor: EM_386 of EM_X86_64, EM_ARM of EM_AARCH64.
        let kin = [62: 3, 183: 40]
        guard machine == ownMachine || kin[ownMachine] == machine || emulatorsAreThere else {
            return "built for another processor"
        }
        // 64-bit, little-endian.
        guard head[4] == 2, head[5] == 1 else { return nil }
        let (table, size, count) = (
            head.number(at: 32, bytes: 8), head.number(at: 54, bytes: 2), head.number(at: 56, bytes: 2)
        )
        for index in 0..<count {
            let entry = table + index * size
            guard entry >= 0, entry + 56 <= head.count else { return nil }
            guard head.number(at: entry, bytes: 4) == 3 else { continue }
            let (place, length) = (head.number(at: entry + 8, bytes: 8), head.number(at: entry + 32, bytes: 8))
            guard place >= 0, length > 1, place <= head.count, length <= head.count - place else { return nil }
            let loader = String(decoding: head[place..<place + length - 1], as: UTF8.self)
            return access(loader, X_OK) == 0 ? nil : "the loader \(loader) that it needs: \(systemErrorText(errno))"
        }
        return nil
    }

    /// The kernel is configured to run programs of other processors (binfmt_misc).
    private static var emulatorsAreThere: Bool {
        FileSystem().names(in: "/proc/sys/fs/binfmt_misc").contains {
            !$0.isSpelled("status") && !$0.isSpelled("register")
        }
    }

    /// Nil if it cannot be read.
    private static func head(of file: String) -> [UInt8]? {
        try? FileSystem().slice(of: file, fromByte: 0, limitBytes: headBytes)
    }
}

extension [UInt8] {
    /// Little-endian; -1 if it does not fit an Int.
    fileprivate func number(at place: Int, bytes: Int) -> Int {
        let value = self[place..<place + bytes].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Int(exactly: value) ?? -1
    }
}
