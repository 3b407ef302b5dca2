import FleetAccess
import Foundation
import OperatorCommands
import Subprocess
import SystemPackage
import Testing

/// Real keys, signed with by the real `ssh-keygen`.
struct SignatureProgramTests {
    private static let namespace = "approve.v1@lockflight"

    /// A folder for keys, removed at the end.
    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lockflight-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder.path)
    }

    private func makeKey(_ path: String, type: String = "ed25519", passphrase: String = "") async throws {
        let ended = try await Subprocess.run(
            .name("ssh-keygen"), arguments: ["-q", "-t", type, "-N", passphrase, "-C", "", "-f", path],
            output: .discarded, error: .discarded)
        try #require(ended.terminationStatus.isSuccess)
    }

    /// Whether OpenSSH itself accepts the signature over a text.
    private func isGood(_ signature: String, over text: String, in folder: String) async throws -> Bool {
        let file = folder + "/\(UUID().uuidString).sig"
        try signature.write(toFile: file, atomically: true, encoding: .utf8)
        let ended = try await Subprocess.run(
            .name("ssh-keygen"),
            arguments: ["-Y", "check-novalidate", "-n", SignatureProgramTests.namespace, "-s", file],
            input: .string(text), output: .discarded, error: .discarded)
        return ended.terminationStatus.isSuccess
    }

    @Test(arguments: ["ed25519", "ecdsa", "rsa"])
    func aKeySignsTheBytesOfTheText(_ type: String) async throws {
        try await withFolder { folder in
            try await makeKey(folder + "/key", type: type)
            let text = #"{"a":"é\n"}"#
            let signature = try await SignatureProgram()
                .sign(text, namespace: SignatureProgramTests.namespace, key: folder + "/key")
            #expect(signature.hasSuffix("-----END SSH SIGNATURE-----\n"))
            #expect(try await isGood(signature, over: text, in: folder))
            #expect(try await !isGood(signature, over: text + "\n", in: folder))
        }
    }

    /// The key has a passphrase, and its file is gone: only the agent can sign.
    @Test func aPublicKeySignsThroughTheAgent() async throws {
        try await withFolder { folder in
            try await makeKey(folder + "/key", passphrase: "12345")
            let agent = try await shell(
                #"ssh-agent -s -a "$1/agent" | sed -n 's/.*AGENT_PID=\([0-9]*\);.*/\1/p'"#, folder)
            let id = try #require(pid_t(agent.trimmingCharacters(in: .whitespacesAndNewlines)), "\(agent)")
            defer { kill(id, SIGTERM) }
            _ = try await shell(
                """
                printf '#!/bin/sh\\necho 12345\\n' >"$1/ask"; chmod 700 "$1/ask"
                SSH_AUTH_SOCK="$1/agent" SSH_ASKPASS="$1/ask" SSH_ASKPASS_REQUIRE=force ssh-add -q "$1/key" && rm "$1/key"
                """, folder)
            let signature = try await SignatureProgram(environment: ["SSH_AUTH_SOCK": folder + "/agent"])
                .sign("{}", namespace: SignatureProgramTests.namespace, key: folder + "/key.pub")
            #expect(try await isGood(signature, over: "{}", in: folder))
        }
    }

    private func shell(_ script: String, _ folder: String) async throws -> String {
        let ended = try await Subprocess.run(
            .name("sh"), arguments: ["-c", script, "sh", folder], input: .none, output: .string(limit: 16_384),
            error: .string(limit: 16_384))
        try #require(ended.terminationStatus.isSuccess, "\(ended.standardError)")
        return ended.standardOutput
    }

    private func refusal(
        _ key: String, text: String = "{}", program: String = "ssh-keygen", timeout: Duration = .seconds(60)
    ) async throws -> FleetAccessError {
        try await #require(
            throws: FleetAccessError.self,
            performing: {
                _ = try await SignatureProgram(program: program, timeout: timeout)
                    .sign(text, namespace: SignatureProgramTests.namespace, key: key)
            })
    }

    @Test func aKeyThatDoesNotSignIsNamedWithWhatToDo() async throws {
        try await withFolder { folder in
            let absent = try await refusal(folder + "/none")
            #expect(absent.message == "the key \(folder)/none can not be read: No such file or directory")

            try await makeKey(folder + "/locked", passphrase: "12345")
            let locked = try await refusal(folder + "/locked")
            #expect(locked.message.contains("did not sign with \(folder)/locked: "))
            #expect(locked.next == .program(words: ["ssh-add", "--", folder + "/locked"]))
            #expect(locked.consequence?.hasPrefix("Nothing was signed.") == true)

            let agentless = try await refusal(folder + "/locked.pub")
            #expect(agentless.next == .program(words: ["ssh-add", "-l"]))

            // It ends before it has read the text.
            try "no key".write(toFile: folder + "/text", atomically: true, encoding: .utf8)
            chmod(folder + "/text", 0o600)
            let text = try await refusal(folder + "/text", text: String(repeating: "x", count: 262_144))
            #expect(text.message.contains("did not sign with \(folder)/text: "))
        }
    }

    @Test func aProgramThatNeverAnswersIsEnded() async throws {
        try await withFolder { folder in
            try await makeKey(folder + "/key")
            try "#!/bin/sh\necho $$ >\"$0.pid\"\nexec sleep 3600\n".write(
                toFile: folder + "/slow", atomically: true, encoding: .utf8)
            chmod(folder + "/slow", 0o700)
            let slow = try await refusal(folder + "/key", program: folder + "/slow", timeout: .seconds(1))
            #expect(slow.message == "ssh-keygen did not sign with \(folder)/key within 1 s")
            let process = try String(contentsOfFile: folder + "/slow.pid", encoding: .utf8)
            let id = try #require(pid_t(process.trimmingCharacters(in: .newlines)))
            #expect(kill(id, 0) == -1 && errno == ESRCH)
        }
    }

    @Test func anAbsentProgramIsNamed() async throws {
        try await withFolder { folder in
            try await makeKey(folder + "/key")
            let absent = try await refusal(folder + "/key", program: folder + "/none")
            #expect(absent.message.hasPrefix("ssh-keygen could not be run: "))
            #expect(absent.next == .program(words: ["apt-get", "install", "openssh-client"]))
        }
    }

    @Test func theCommandForAPerson() {
        #expect(
            SignatureProgram.command(signing: "-a.json", namespace: "policy.v1@lockflight", key: nil)
                == .program(words: [
                    "ssh-keygen", "-Y", "sign", "-n", "policy.v1@lockflight", "-f", "KEY", "--", "-a.json",
                ]))
    }
}
