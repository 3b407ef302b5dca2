import Foundation
import Glibc
package import OperatorCommands
import SafeText
import Subprocess
import SystemPackage

/// OpenSSH's `ssh-keygen`, which signs for a person with their key: a file, one of an ssh-agent, or a security key.
///
/// It asks for a passphrase, a PIN or a touch on the terminal itself: none of them passes through this process. Only the
/// text and the signature do.
package struct SignatureProgram: Sendable {
    /// How long a person may take for a passphrase and a touch.
    static let timeoutSeconds = 300
    /// How long `ssh-keygen` may take to put the terminal in order after that.
    static let goodbyeSeconds = 2
    /// Of a signature with its armour; one of an RSA key with 16,384 bits and a certificate stays below.
    static let outputBytes = 16_384
    static let errorBytes = 65_536

    private let program: Executable
    private let timeout: Duration
    private let environment: [String: String]

    /// - Parameters:
    ///   - environment: variables beside the command's own.
    ///   - program: found in `PATH`; another one in tests.
    ///   - timeout: how long a person may take.
    package init(
        environment: [String: String] = [:], program: String = "ssh-keygen",
        timeout: Duration = .seconds(SignatureProgram.timeoutSeconds)
    ) {
        self.environment = environment
        self.program = program.holds(anyOf: "/") ? .path(.init(program)) : .name(program)
        self.timeout = timeout
    }

    /// The command with which a person signs a file on any machine. It writes `FILE.sig`.
    ///
    /// - Parameters:
    ///   - file: its bytes are what is signed.
    ///   - namespace: what the signature is for.
    ///   - key: nil for a placeholder.
    package static func command(signing file: String, namespace: String, key: String?) -> OperatorCommand {
        .program(words: ["ssh-keygen"] + options(namespace: namespace, key: key ?? "KEY") + ["--", file])
    }

    private static func options(namespace: String, key: String) -> [String] {
        ["-Y", "sign", "-n", namespace, "-f", key]
    }

    /// The signature over a text, with its armour.
    ///
    /// - Parameters:
    ///   - text: its UTF-8 bytes are what is signed.
    ///   - namespace: what the signature is for.
    ///   - key: a private key, or a public key whose private half an ssh-agent holds.
    package func sign(_ text: String, namespace: String, key: String) async throws -> String {
        guard access(key, R_OK) == 0 else {
            throw FleetAccessError(
                "the key \(key) can not be read: \(String(cString: strerror(errno)))",
                consequence: "Nothing was signed.", next: .program(words: ["ls", "-l", "--", key]), isRefusal: true)
        }
        let ended = try await run(text, Self.options(namespace: namespace, key: key), key: key)
        guard ended.isSuccess, ended.output.begins(with: "-----BEGIN SSH SIGNATURE-----\n") else {
            throw refusal(key, saying: ended.complaint)
        }
        return ended.output
    }

    private struct Ended: Sendable {
        var isSuccess: Bool
        var output: String
        /// Nil if it went to the terminal.
        var complaint: String?
    }

    private func run(_ text: String, _ arguments: [String], key: String) async throws -> Ended {
        do {
            return try await withThrowingTaskGroup(of: Ended?.self) { group in
                group.addTask { try await start(text, Arguments(arguments)) }
                group.addTask {
                    try await Task.sleep(for: timeout)
                    return nil
                }
                defer { group.cancelAll() }
                guard let first = try await group.next(), let ended = first else {
                    throw FleetAccessError(
                        "ssh-keygen did not sign with \(key) within \(timeout.components.seconds) s",
                        consequence: "Nothing was signed. It waits for a passphrase, a PIN or a touch of the key.",
                        next: nil, isRefusal: true)
                }
                return ended
            }
        } catch let error as SubprocessError {
            throw FleetAccessError(
                "ssh-keygen could not be run: \(error)", consequence: "Nothing was signed.",
                next: .program(words: ["apt-get", "install", "openssh-client"]))
        }
    }

    /// Its standard error is the terminal if there is one, where it says that the key must be touched.
    private func start(_ text: String, _ arguments: Arguments) async throws -> Ended {
        let input = try Self.descriptor(holding: text)
        defer { try? input.close() }
        var options = PlatformOptions()
        options.teardownSequence = [
            .send(signal: .terminate, allowedDurationToNextStep: .seconds(SignatureProgram.goodbyeSeconds))
        ]
        if isatty(FileDescriptor.standardError.rawValue) == 1 {
            let record = try await Subprocess.run(
                program, arguments: arguments, environment: variables, platformOptions: options,
                input: .fileDescriptor(input, closeAfterSpawningProcess: false),
                output: .string(limit: SignatureProgram.outputBytes),
                error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false))
            return Ended(
                isSuccess: record.terminationStatus.isSuccess, output: record.standardOutput, complaint: nil)
        }
        let record = try await Subprocess.run(
            program, arguments: arguments, environment: variables, platformOptions: options,
            input: .fileDescriptor(input, closeAfterSpawningProcess: false),
            output: .string(limit: SignatureProgram.outputBytes), error: .string(limit: SignatureProgram.errorBytes))
        return Ended(
            isSuccess: record.terminationStatus.isSuccess, output: record.standardOutput,
            complaint: record.standardError)
    }

    /// A file without a name. Writing to a pipe would raise SIGPIPE if the program ends before it has read all of it.
    private static func descriptor(holding text: String) throws -> FileDescriptor {
        let path = FileManager.default.temporaryDirectory.path + "/lockflight-\(UUID().uuidString)"
        let descriptor = try FileDescriptor.open(
            FilePath(path), .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
            permissions: .ownerReadWrite)
        unlink(path)
        try descriptor.writeAll(text.utf8)
        try descriptor.seek(offset: 0, from: .start)
        return descriptor
    }

    private static let askpass = "SSH_ASKPASS_REQUIRE"

    /// Its standard input is the text, so it would ask for a passphrase through `SSH_ASKPASS` although there is a
    /// terminal.
    private var variables: Environment {
        let isChosen = environment[Self.askpass] != nil || getenv(Self.askpass) != nil
        let own = isChosen || !hasTerminal ? [:] : [Self.askpass: "never"]
        let all = environment.merging(own) { chosen, _ in chosen }
        return .inherit.updating(
            Dictionary(uniqueKeysWithValues: all.map { (Environment.Key(stringLiteral: $0.key), Optional($0.value)) }))
    }

    private var hasTerminal: Bool {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard terminal >= 0 else { return false }
        close(terminal)
        return true
    }

    private func refusal(_ key: String, saying complaint: String?) -> FleetAccessError {
        let said = complaint.map { $0.lines.filter { !$0.trimmed.isEmpty }.suffix(4).joined(separator: "; ") } ?? ""
        let isPublic = key.ends(with: ".pub")
        let consequence =
            isPublic
            ? "Nothing was signed. A public key signs only if the ssh-agent of SSH_AUTH_SOCK holds its private half."
            : "Nothing was signed. Without a terminal to ask for its passphrase, a key must be in an ssh-agent."
        return FleetAccessError(
            "ssh-keygen did not sign with \(key)" + (said.isEmpty ? "" : ": \(said)"), consequence: consequence,
            next: .program(words: isPublic ? ["ssh-add", "-l"] : ["ssh-add", "--", key]), isRefusal: true)
    }
}
