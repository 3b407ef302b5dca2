import FoundationEssentials
import Glibc
import Logging
import SafeText
import Subprocess
import Synchronization
import SystemPackage

/// Connections made by OpenSSH's own client, for servers and keys that libssh2 does not support.
///
/// A connection is a separate background `ssh` that has logged in. Its commands are child processes that use this
/// connection, so authentication and any prompts happen only once. If this process is killed, each connection ends a
/// minute after its last command.
package actor OpenSSHClient {
    private let folder: String
    /// The program and any arguments before its own.
    private let program: [String]
    private var connectionCount = 0
    private var gssapiOptions: Task<[String], Never>?
    private var open: [OpenSSHConnection] = []
    private var jumps: [OpenSSHTarget: Task<OpenSSHConnection, any Error>] = [:]

    /// - Throws: `limitExceeded` if there is no room for its files.
    package init() throws(SSHError) { try self.init(program: ["ssh"]) }

    init(program: [String]) throws(SSHError) {
        self.program = program
        // The path of a Unix socket holds 107 bytes, and ssh appends to this path.
        var template = Array("/tmp/lockflight-ssh-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw SSHError(
                code: .limitExceeded, host: "ssh",
                message: "no folder could be made in /tmp for the sockets of ssh, so no host can be reached by it: "
                    + String(cString: strerror(errno)))
        }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Logs in, through the jump hosts if there are any. Each jump host is logged into once for all hosts behind it.
    ///
    /// - Throws: the same errors as `SSHClient.connect`.
    package func connect(to target: OpenSSHTarget) async throws(SSHError) -> OpenSSHConnection {
        let connection = try await connection(to: target)
        try await connection.logIn()
        open.append(connection)
        return connection
    }

    /// The key that a host proves it owns, of the type that ssh_config prefers. There is no login.
    ///
    /// - Parameter target: its pinned `hostKeys` and its `identityFiles` are not used, but those of its jump hosts are.
    /// - Throws: like `connect`, up to the key exchange.
    package func hostKey(of target: OpenSSHTarget) async throws(SSHError) -> SSHHostKey {
        try await connection(to: target).readHostKey()
    }

    /// A connection that is not logged in yet.
    private func connection(to target: OpenSSHTarget) async throws(SSHError) -> OpenSSHConnection {
        var jump: OpenSSHConnection?
        if var last = target.jumps.last {
            last.jumps = target.jumps.dropLast()
            do {
                jump = try await jumpConnection(last)
            } catch {
                throw target.place.error(behind: error, jumps: target.jumps.map(\.place.host))
            }
        }
        let gssapiOptions = await gssapiOptionsOnce()
        connectionCount += 1
        let files = "\(folder)/\(connectionCount)"
        let options = OpenSSHOptions(
            target: target, knownHostsPath: files + ".known", controlPath: files,
            jumpControlPath: jump?.options.controlPath, gssapiOptions: gssapiOptions)
        return OpenSSHConnection(program, options, through: jump)
    }

    /// Debian's `ssh` can do the key exchange by GSSAPI, and then never checks the host's key; this turns it off. Other
    /// builds refuse to run with an unknown option, so the option is tried once, without any host.
    private func gssapiOptionsOnce() async -> [String] {
        if let known = gssapiOptions { return await known.value }
        let words = program + ["-F", "none", "-G", "-o", "GSSAPIKeyExchange=no", "--", "host.invalid"]
        let task = Task {
            let tried = try? await Subprocess.run(
                OpenSSHConnection.executable(words), arguments: Arguments(Array(words.dropFirst())), input: .none,
                output: .discarded, error: .string(limit: OpenSSHConnection.logBytes))
            // Only that exact message counts. If the test could not run, the option is used anyway, and `ssh` itself
            // reports what is wrong.
            return tried?.standardError.holds("Bad configuration option") == true ? [] : ["GSSAPIKeyExchange=no"]
        }
        gssapiOptions = task
        return await task.value
    }

    private func jumpConnection(_ jump: OpenSSHTarget) async throws(SSHError) -> OpenSSHConnection {
        if let known = jumps[jump], let connection = try? await known.value, await connection.isOpen {
            return connection
        }
        let task = Task { try await self.connect(to: jump) }
        jumps[jump] = task
        do {
            return try await task.value
        } catch {
            if jumps[jump] == task { jumps[jump] = nil }
            throw error as? SSHError ?? jump.place.error(.closed, cause: "\(error)")
        }
    }

    /// Ends every connection and removes its files.
    package func close() async {
        for connection in open.reversed() { await connection.close() }
        open = []
        jumps = [:]
        Self.remove(folder)
    }

    /// Removes a folder of files. A background `ssh` that was ordered to exit removes its socket when it gets to it, so
    /// any file may disappear between the listing and its removal. `FileManager.removeItem` stops there and leaves the
    /// folder.
    static func remove(_ folder: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }
}

/// A login that `ssh` keeps in the background.
package final class OpenSSHConnection: RemoteConnection {
    /// The part of a log that is read, from its end.
    static let logBytes = 64 * 1024

    private let program: [String]
    let options: OpenSSHOptions
    /// Kept for as long as this connection needs it.
    private let jump: OpenSSHConnection?
    package var target: SSHTarget { options.target.place }

    private let commandCount = Atomic(0)
    private let closed = Atomic(false)

    init(_ program: [String], _ options: OpenSSHOptions, through jump: OpenSSHConnection?) {
        self.program = program
        self.options = options
        self.jump = jump
    }

    deinit { unlink(options.knownHostsPath) }

    func logIn() async throws(SSHError) {
        guard !target.hostKeys.isEmpty else {
            throw target.error(.hostKeyUnknown)
        }
        let pins = target.hostKeys.map { "\(target.host) \($0.type) \(Data($0.blob).base64EncodedString())\n" }.joined()
        guard FileManager.default.createFile(atPath: options.knownHostsPath, contents: Data(pins.utf8)) else {
            throw target.error(.limitExceeded, detail: "\(options.knownHostsPath) could not be written")
        }
        target.logger.debug("ssh is started to log in")
        let result = try await call(options.logIn)
        guard result.isSuccess else {
            let failure = failure(result.log)
            target.logger.debug("the connection ended", metadata: ["code": "\(failure.code.rawValue)"])
            throw failure
        }
        target.logger.debug("logged in")
    }

    func readHostKey() async throws(SSHError) -> SSHHostKey {
        let result = try await call(options.showHostKey)
        let known = (try? String(contentsOfFile: options.knownHostsPath, encoding: .utf8)) ?? ""
        // Each line is "label type base64".
        let keys = known.fields(separatedBy: "\r\n").compactMap { line in
            line.cut(at: " ").flatMap { SSHHostKey(openSSH: String($0.after)) }
        }
        guard let key = keys.first else { throw failure(result.log) }
        return key
    }

    /// Why a login failed, in the words of the other transport if those say more.
    private func failure(_ log: OpenSSHLog) -> SSHError {
        let code = log.code ?? .handshakeFailed
        guard code == .hostKeyChanged || code == .hostKeyUnknown, let shown = log.hostKey else {
            return target.error(code, detail: log.complaint)
        }
        return target.error(
            target.pins(type: shown.type) ? .hostKeyChanged : .hostKeyUnknown,
            detail: target.mismatch(type: shown.type, fingerprint: shown.fingerprint))
    }

    /// Whether the background process still responds.
    var isOpen: Bool {
        get async { FileManager.default.fileExists(atPath: options.controlPath) }
    }

    package func execute(_ command: String) async throws(SSHError) -> OpenSSHCommand {
        guard !isClosed else { throw target.error(.closed) }
        guard commandCount.add(1, ordering: .relaxed).oldValue < TransportLimits.execCount else {
            commandEnded()
            throw target.error(.limitExceeded, detail: "\(TransportLimits.execCount) commands are open on it")
        }
        let exec = OpenSSHCommand(program, options.run(command), over: self)
        try await exec.started(within: target.deadlines.exec)
        return exec
    }

    func commandEnded() { commandCount.subtract(1, ordering: .relaxed) }

    /// Whether this side closed it.
    var isClosed: Bool { closed.load(ordering: .relaxed) }

    package func close() async {
        closed.store(true, ordering: .relaxed)
        target.logger.debug("the connection ended", metadata: ["code": "\(SSHError.Code.closed.rawValue)"])
        _ = try? await call(options.close)
    }

    /// Whether the background process answers that its connection is open.
    func stands() async -> Bool { (try? await call(options.check))?.isSuccess ?? false }

    private struct CallResult {
        let isSuccess: Bool
        let log: OpenSSHLog
    }

    private enum Call {
        case ended(CallResult)
        case expired(SSHError.Code)
    }

    /// Runs `ssh` until it ends or goes into the background, each phase within its deadline.
    ///
    /// Its standard error goes to a file, because the part that stays in the background would keep a pipe open.
    private func call(_ words: [String]) async throws(SSHError) -> CallResult {
        let path = FilePath(options.logPath)
        let call: Call
        do {
            let log = try FileDescriptor.open(
                path, .readWrite, options: [.create, .truncate, .append, .closeOnExec], permissions: .ownerReadWrite)
            defer {
                try? log.close()
                unlink(path.string)
            }
            let watch = OpenSSHLoginWatch(log: log, deadlines: target.deadlines)
            call = try await withThrowingTaskGroup(of: Call.self) { [program] group in
                group.addTask {
                    let ended = try await Subprocess.run(
                        OpenSSHConnection.executable(program), arguments: Arguments(program.dropFirst() + words),
                        environment: OpenSSHConnection.environment, platformOptions: OpenSSHConnection.ownGroup,
                        input: .none, output: .discarded,
                        error: .fileDescriptor(log, closeAfterSpawningProcess: false))
                    return .ended(
                        CallResult(
                            isSuccess: ended.terminationStatus.isSuccess,
                            log: OpenSSHLog(try log.tail(OpenSSHConnection.logBytes).bytes)))
                }
                group.addTask { .expired(try await watch.expired()) }
                defer { group.cancelAll() }
                guard let first = try await group.next() else { throw CancellationError() }
                return first
            }
        } catch is CancellationError {
            throw target.error(.cancelled)
        } catch {
            throw target.error(.limitExceeded, detail: "ssh could not be run", cause: "\(error)")
        }
        switch call {
        case .ended(let result): return result
        case .expired(.agentFailed):
            throw target.error(
                .agentFailed,
                detail: "neither an ssh-agent nor a FIDO key answered within \(target.deadlines.agent)")
        case .expired(let code): throw target.error(code)
        }
    }

    /// Its log is searched for English texts.
    static let environment = Environment.inherit.updating(["LC_ALL": "C"])

    /// When a login is killed, its ProxyCommand is killed too; otherwise that would keep waiting for a silent host.
    private static let ownGroup = {
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        return options
    }()

    /// - Parameter program: its first word, searched in `PATH` if it is not a path.
    static func executable(_ program: [String]) -> Executable {
        program[0].holds(anyOf: "/") ? .path(FilePath(program[0])) : .name(program[0])
    }
}
