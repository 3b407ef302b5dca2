import FoundationEssentials
import Glibc
import Subprocess
import SystemPackage

/// Connections made by OpenSSH's own client, for servers and keys that libssh2 has no way to speak to.
///
/// A connection is a background `ssh` of its own that has logged in; its commands are children that go over it, so nothing is
/// proved or asked twice. Should this process be killed, each connection ends a minute after its last command.
public actor OpenSSHClient {
    private let folder: String
    private var connectionCount = 0
    private var open: [OpenSSHConnection] = []
    private var jumps: [OpenSSHTarget: Task<OpenSSHConnection, any Error>] = [:]

    /// - Throws: `limitExceeded` when there is no room for its files.
    public init() throws(SSHError) {
        // The path of a Unix socket holds 107 bytes, and ssh appends to ours.
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

    /// Logs in, through the jump hosts if there are any; each of these is logged into once for all hosts behind it.
    ///
    /// - Throws: as `SSHClient.connect`.
    public func connect(to target: OpenSSHTarget) async throws(SSHError) -> OpenSSHConnection {
        let connection = try await connection(to: target)
        try await connection.logIn()
        open.append(connection)
        return connection
    }

    /// The key that a host proves to own, of the type that ssh_config prefers; nobody logs in.
    ///
    /// - Parameter target: the `hostKeys` of its place and its `identityFiles` are not used, those of its jump hosts are.
    /// - Throws: as `connect`, as far as the key exchange.
    public func hostKey(of target: OpenSSHTarget) async throws(SSHError) -> SSHHostKey {
        try await connection(to: target).readHostKey()
    }

    /// One that is yet to log in.
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
        connectionCount += 1
        let files = "\(folder)/\(connectionCount)"
        let options = OpenSSHOptions(
            target: target, knownHostsPath: files + ".known", controlPath: files,
            jumpControlPath: jump?.options.controlPath)
        return OpenSSHConnection(options, through: jump)
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
    public func close() async {
        for connection in open.reversed() { await connection.close() }
        open = []
        jumps = [:]
        Self.remove(folder)
    }

    /// Removes a folder of files. A background `ssh` that was told to exit removes its socket when it gets to it, so any file
    /// may be gone between the listing and its turn; `FileManager.removeItem` gives up there and leaves the folder.
    static func remove(_ folder: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }
}

/// A login that `ssh` keeps in the background.
public final class OpenSSHConnection: RemoteConnection {
    static let errorBytes = 8 * 1024

    let options: OpenSSHOptions
    /// Kept for as long as this one needs it.
    private let jump: OpenSSHConnection?
    public var target: SSHTarget { options.target.place }

    init(_ options: OpenSSHOptions, through jump: OpenSSHConnection?) {
        self.options = options
        self.jump = jump
    }

    deinit { unlink(options.knownHostsPath) }

    func logIn() async throws(SSHError) {
        guard !target.hostKeys.isEmpty else {
            throw target.error(.hostKeyUnknown, detail: "no key is pinned for it")
        }
        let pins = target.hostKeys.map { "\(target.host) \($0.type) \(Data($0.blob).base64EncodedString())\n" }.joined()
        guard FileManager.default.createFile(atPath: options.knownHostsPath, contents: Data(pins.utf8)) else {
            throw target.error(.limitExceeded, detail: "\(options.knownHostsPath) could not be written")
        }
        let deadlines = target.deadlines
        let limit = deadlines.connect + deadlines.handshake + deadlines.authentication
        guard let result = try await call(options.logIn, within: limit) else {
            throw target.error(.authenticationTimedOut)
        }
        guard !result.isSuccess else { return }
        let complaint = OpenSSHComplaint(result.errors)
        throw target.error(complaint.code(otherwise: .handshakeFailed), detail: complaint.words)
    }

    func readHostKey() async throws(SSHError) -> SSHHostKey {
        let deadlines = target.deadlines
        guard let result = try await call(options.showHostKey, within: deadlines.connect + deadlines.handshake) else {
            throw target.error(.handshakeTimedOut)
        }
        let known = (try? String(contentsOfFile: options.knownHostsPath, encoding: .utf8)) ?? ""
        // Its own line is "label type base64".
        let keys = known.split(whereSeparator: \.isNewline).compactMap { line in
            SSHHostKey(openSSH: String(line.drop { $0 != " " }))
        }
        guard let key = keys.first else {
            let complaint = OpenSSHComplaint(result.errors)
            throw target.error(complaint.code(otherwise: .handshakeFailed), detail: complaint.words)
        }
        return key
    }

    /// Whether the background process still answers for it.
    var isOpen: Bool {
        get async { FileManager.default.fileExists(atPath: options.controlPath) }
    }

    public func execute(_ command: String) async throws(SSHError) -> OpenSSHCommand {
        OpenSSHCommand(options.run(command), over: self)
    }

    public func close() async {
        _ = try? await call(options.close, within: target.deadlines.exec)
    }

    private struct CallResult {
        let isSuccess: Bool
        let errors: [UInt8]
    }

    /// Runs `ssh` to its end, or to its going into the background; nil when it took too long.
    ///
    /// Its standard error goes to a file, because the part that stays in the background would hold a pipe open.
    private func call(_ words: [String], within limit: Duration) async throws(SSHError) -> CallResult? {
        let path = FilePath(options.controlPath + ".errors")
        do {
            let errors = try FileDescriptor.open(
                path, .readWrite, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
            defer {
                try? errors.close()
                unlink(path.string)
            }
            return try await withThrowingTaskGroup(of: CallResult?.self) { group in
                group.addTask {
                    let ended = try await Subprocess.run(
                        .name("ssh"), arguments: Arguments(words), environment: .inherit.updating(["LC_ALL": "C"]),
                        input: .none, output: .discarded,
                        error: .fileDescriptor(errors, closeAfterSpawningProcess: false))
                    return CallResult(
                        isSuccess: ended.terminationStatus.isSuccess,
                        errors: try OpenSSHConnection.tail(of: errors))
                }
                group.addTask {
                    try await Task.sleep(for: limit)
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
        } catch is CancellationError {
            throw target.error(.cancelled)
        } catch {
            throw target.error(.limitExceeded, detail: "ssh could not be run", cause: "\(error)")
        }
    }

    private static func tail(of file: FileDescriptor) throws -> [UInt8] {
        let end = try file.seek(offset: 0, from: .end)
        let count = min(Int(end), errorBytes)
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, read in
            read = try file.read(fromAbsoluteOffset: end - Int64(count), into: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
