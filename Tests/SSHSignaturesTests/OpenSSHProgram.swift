import Foundation
import Glibc
import Testing

/// The real ssh-keygen, in a folder of its own that is removed at the end.
struct OpenSSHProgram {
    let folder: String

    /// Runs a test with it.
    static func with<Result>(_ body: (OpenSSHProgram) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.path + "/lockflight-signatures-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try await body(OpenSSHProgram(folder: folder))
    }

    /// A file in the folder.
    func path(_ name: String) -> String { "\(folder)/\(name)" }

    @discardableResult
    func write(_ content: [UInt8], to name: String) throws -> String {
        try Data(content).write(to: URL(filePath: path(name)))
        return path(name)
    }

    func read(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path(name)))) }

    /// Runs `ssh-keygen ARGUMENTS` and returns its exit status; 0 is success.
    ///
    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - input: the file that it reads as standard input.
    ///   - output: the file that it writes standard output into.
    func run(_ arguments: [String], input: String = "/dev/null", output: String = "/dev/null") throws -> CInt {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        let all = ["/usr/bin/ssh-keygen"] + arguments
        var words = all.map { strdup($0) } + [nil]
        // No ssh-agent, and UTC as the zone of this machine.
        let environment = ["PATH=/usr/bin:/bin", "HOME=\(folder)", "TZ=UTC"]
        var variables = environment.map { strdup($0) } + [nil]
        defer { for word in words + variables { free(word) } }
        var process: pid_t = 0
        try #require(posix_spawn(&process, "/usr/bin/ssh-keygen", &actions, nil, &words, &variables) == 0)
        var status: CInt = -1
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return status
    }

    /// Makes a key pair and returns the path of its private half; `.pub` is the other one.
    func makeKey(_ type: String, bits: Int? = nil) throws -> String {
        let file = path("\(type)-\(bits ?? 0)")
        let size = bits.map { ["-b", "\($0)"] } ?? []
        try #require(try run(["-q", "-t", type, "-N", "", "-C", "a comment", "-f", file] + size) == 0)
        return file
    }

    /// An armoured signature by `ssh-keygen -Y sign`.
    func sign(_ message: [UInt8], key: String, namespace: String, hash: String, name: String) throws -> [UInt8] {
        let input = try write(message, to: "\(name).message")
        let arguments = ["-Y", "sign", "-q", "-f", key, "-n", namespace, "-O", "hashalg=\(hash)"]
        try #require(try run(arguments, input: input, output: path("\(name).sig")) == 0)
        return try read("\(name).sig")
    }

    /// Whether `ssh-keygen -Y verify` calls the signature good.
    ///
    /// - Parameters:
    ///   - armour: the file's content.
    ///   - message: what was signed.
    ///   - namespace: what it must be signed for.
    ///   - allowed: the name of the file of allowed signers.
    ///   - name: for the files of this call; calls at one time need different ones.
    ///   - options: more of them, such as the time.
    func accepts(
        _ armour: [UInt8], message: [UInt8], namespace: String, allowed: String, name: String, options: [String] = []
    ) throws -> Bool {
        let signature = try write(armour, to: "\(name).sig")
        let input = try write(message, to: "\(name).message")
        defer { for file in [signature, input] { unlink(file) } }
        let arguments = ["-Y", "verify", "-f", path(allowed), "-I", "tester", "-n", namespace, "-s", signature]
        return try run(arguments + options, input: input) == 0
    }

    /// Calls `body` for each index, as many at a time as there are cores, on threads that no other test needs.
    static func concurrently<Element: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (Int) throws -> Element
    ) async throws -> [Element] {
        let results = Results<Element>(count: count)
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            DispatchQueue.global().async {
                DispatchQueue.concurrentPerform(iterations: count) { index in
                    let result = Result { try body(index) }
                    results.lock.withLock { results.all[index] = result }
                }
                continuation.resume()
            }
        }
        return try results.all.map { try #require($0).get() }
    }

    private final class Results<Element: Sendable>: @unchecked Sendable {
        let lock = NSLock()
        var all: [Result<Element, any Error>?]

        init(count: Int) { all = [Result<Element, any Error>?](repeating: nil, count: count) }
    }
}
