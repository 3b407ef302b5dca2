import CLinux
import Foundation
import Glibc
import SSHTransport
import SafeText
import Subprocess
import SystemPackage

/// A private ssh-agent of this process that holds the keys that have a passphrase.
///
/// OpenSSH itself reads the key and asks for the passphrase on the terminal: neither passes through this process, an
/// argument or the environment. The agent ends with this process, even if this process is killed: it waits on a socket
/// whose other end only this process has. Its own socket is in a folder that no other account can enter.
struct PassphraseAgent: Sendable {
    static let startMilliseconds = 5_000
    static let stopMilliseconds: Int32 = 2_000
    /// Reports that the agent listens, waits until its parent closes the socket, and removes everything.
    private static let script = """
        ssh-agent -a "$1/agent" /bin/sh -c 'echo ready >&3; cat <&3 >/dev/null; kill "$SSH_AGENT_PID"'
        rm -rf "$1"
        """

    let socketPath: String
    private let lifeline: CInt
    private let process: pid_t

    /// - Throws: `agentFailed` when there is no `ssh-agent` to start.
    static func start() throws(SSHError) -> PassphraseAgent {
        var template = Array((FileManager.default.temporaryDirectory.path + "/lockflight-keys-XXXXXX").utf8CString)
        var ends: [CInt] = [-1, -1]
        guard mkdtemp(&template) != nil,
            socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
        else { throw failed(String(cString: strerror(errno))) }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var process: pid_t = 0
        let status = launch(folder, lifeline: ends[1], &process)
        close(ends[1])
        var limit = timeval(tv_sec: startMilliseconds / 1_000, tv_usec: 0)
        setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var byte: UInt8 = 0
        guard status == 0, recv(ends[0], &byte, 1, 0) == 1 else {
            close(ends[0])
            throw failed(status == 0 ? "it did not start" : String(cString: strerror(status)))
        }
        return PassphraseAgent(socketPath: folder + "/agent", lifeline: ends[0], process: process)
    }

    private static func launch(_ folder: String, lifeline: CInt, _ process: inout pid_t) -> CInt {
        let path = "PATH=" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
        let words = ["sh", "-c", script, "sh", folder]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup(path), nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        let control = "/bin/sh".withCString { shell in
            arguments.withUnsafeMutableBufferPointer { arguments in
                environment.withUnsafeMutableBufferPointer { environment -> CInt in
                    var request = clinux_launch_request(
                        executable: shell, arguments: arguments.baseAddress, environment: environment.baseAddress,
                        working_directory: nil, standard_output: -1, standard_error: -1, passed_descriptor: lifeline,
                        own_session: 1)
                    return clinux_launch(&request, &process)
                }
            }
        }
        return control < 0 ? -control : clinux_release(control)
    }

    private static func failed(_ words: String) -> SSHError {
        SSHError(
            code: .agentFailed, host: "ssh-agent",
            message:
                "no ssh-agent could be started to hold keys with a passphrase: \(words); these keys can not be used. "
                + "Try: apt-get install openssh-client")
    }

    /// The terminal on which to ask for the passphrase of a key.
    static func terminal(toAskFor path: String) throws(SSHError) -> FileDescriptor {
        do {
            return try FileDescriptor.open("/dev/tty", .readWrite)
        } catch {
            throw SSHError(
                code: .keyEncrypted, host: path,
                message: """
                    the private key \(path) has a passphrase and there is no terminal to ask for it, so no host can be \
                    logged into with it; add it to the ssh-agent of SSH_AUTH_SOCK with: ssh-add -- \(ShellText.word(path))
                    """)
        }
    }

    /// Lets `ssh-add` ask for the passphrase of a key and add the key to this agent.
    func add(_ path: String, askingOn terminal: FileDescriptor) async throws(SSHError) {
        let added = try? await Subprocess.run(
            .name("ssh-add"), arguments: ["-q", path],
            environment: .inherit.updating(["SSH_AUTH_SOCK": socketPath, "SSH_ASKPASS_REQUIRE": "never"]),
            input: .fileDescriptor(terminal, closeAfterSpawningProcess: false),
            output: .fileDescriptor(terminal, closeAfterSpawningProcess: false),
            error: .fileDescriptor(terminal, closeAfterSpawningProcess: false))
        guard let added, added.terminationStatus.isSuccess else {
            throw SSHError(
                code: .keyEncrypted, host: path,
                message: """
                    ssh-add got no passphrase for \(path), so no host can be logged into with it; repeat the command, or \
                    first add the key to the ssh-agent of SSH_AUTH_SOCK with: ssh-add -- \(ShellText.word(path))
                    """)
        }
    }

    /// Stops the agent, which has the only copy of its unlocked keys.
    func stop() {
        close(lifeline)
        var status: Int32 = 0
        _ = clinux_wait(process, PassphraseAgent.stopMilliseconds, &status)
    }
}
