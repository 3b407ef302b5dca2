import CoordinatorRuntime
import Foundation
import SSHTransport
import SafeText
import UpgradeDomain

/// Starts the agent on a host; uploads it first if that exact build is not there yet.
///
/// One command looks for the agent and starts it: a host that has the build needs no other round trip. An interrupted
/// upload is continued by the next one, if its bytes are the beginning of the same file.
actor AgentDelivery {
    static let uploadTimeout = Duration.seconds(60)
    /// How many bytes rc files may print before our first word.
    static let noiseBytes = 65_536

    private let binaries: AgentBinaries
    private let startTimeout: Duration
    /// Every build; searched for when the first host needs one.
    private lazy var builds = binaries.find()
    /// The bytes of each build, read when the first host needs them and shared by all.
    private var contents: [Content: Task<[UInt8]?, Never>] = [:]

    private struct Content: Hashable {
        var architecture: String
        var isPacked: Bool
    }

    init(binaries: AgentBinaries, startTimeout: Duration) {
        self.binaries = binaries
        self.startTimeout = startTimeout
    }

    /// An agent that waits for its first request, and what it has already said.
    struct Started<Command: RemoteCommand>: Sendable {
        let command: Command
        let output: [UInt8]
    }

    /// - Throws: `uploadFailed` if the host can not get an agent.
    func start<Connection: RemoteConnection>(
        on host: HostName, in folder: AgentFolder, over connection: Connection
    ) async throws(SSHError) -> Started<Connection.Command> {
        var found = try await look(in: folder, connection)
        if case .absent(let absence) = found {
            try await bring(absence, to: host, in: folder, over: connection)
            found = try await look(in: folder, connection)
        }
        switch found {
        case .started(let started): return started
        case .absent:
            throw failure(
                host,
                "the agent was stored, but is missing or was changed again; find out what changes files in \(folder)")
        }
    }

    // MARK: Looking

    private enum Found<Command: RemoteCommand> {
        case started(Started<Command>)
        case absent(AgentScript.Absence)
    }

    private func look<Connection: RemoteConnection>(
        in folder: AgentFolder, _ connection: Connection
    ) async throws(SSHError) -> Found<Connection.Command> {
        let script = AgentScript.startOrLook(builds, in: folder)
        let command = try await connection.execute(HostShell.line(for: script))
        // If no shell accepts it, the host's output says why.
        try? await command.write(Array(script.utf8))
        var heard: [UInt8] = []
        while heard.count <= AgentDelivery.noiseBytes, let bytes = try await command.read(timeout: startTimeout) {
            heard += bytes
            switch AgentScript.answer(in: heard) {
            case .present(let rest)?: return .started(Started(command: command, output: rest))
            case .absent(let absence)?: return .absent(absence)
            case .exposed(let mode, let owner)?:
                throw failure(
                    HostName(connection.target.host),
                    "accounts other than its own can write \(folder) (\(mode), owner \(owner)) and could choose what runs there; nothing "
                        + "was started. On the host, make the account or root its owner, and run: chmod go-w \(folder.word)"
                )
            case nil: continue
            }
        }
        let said = HostShell.said(heard, await command.standardErrorTail())
        command.close()
        throw failure(
            HostName(connection.target.host),
            "its shell did not start /bin/sh, \(said). Look at the account's shell and rc files, at a forced command "
                + "(ForceCommand, command= in authorized_keys), and at StdinNull in ssh_config")
    }

    // MARK: Bringing

    private func bring(
        _ absence: AgentScript.Absence, to host: HostName, in folder: AgentFolder,
        over connection: some RemoteConnection
    ) async throws(SSHError) {
        guard let build = builds.first(where: { $0.architecture == absence.architecture }) else {
            let have = builds.isEmpty ? "none" : builds.map(\.architecture).joined(separator: ", ")
            throw failure(
                host,
                "there is no lockflight-agent build for its architecture \(absence.architecture) (available: \(have); searched "
                    + "\(binaries.folders.joined(separator: ", "))). Build it on that architecture, or for it, with: make agent"
            )
        }
        let packed = absence.hasGzip ? await content(of: build, isPacked: true) : nil
        var bytes = packed
        if bytes == nil { bytes = await content(of: build, isPacked: false) }
        guard let bytes else { throw failure(host, "its agent can not be read here: \(build.path)") }
        let upload = AgentUpload(build: build, bytes: bytes, isPacked: packed != nil, folder: folder)
        let offset = upload.offset(after: absence)
        let end = try await send(upload, from: offset, over: connection)
        // Another upload has continued the interrupted one.
        let lastEnd = end.word == "lost" ? try await send(upload, from: 0, over: connection) : end
        switch lastEnd.word {
        case "published": return
        case "noexec":
            throw failure(
                host,
                "nothing can be executed in \(folder): its file system is mounted noexec. Set another folder with "
                    + "agentDirectory in the inventory's entry of \(host)")
        default:
            throw failure(
                host,
                "the agent could not be stored in \(folder), \(lastEnd.said). Check its free space and permissions")
        }
    }

    private func send(
        _ upload: AgentUpload, from offset: Int, over connection: some RemoteConnection
    ) async throws(SSHError) -> (word: String, said: String) {
        let script = upload.script(from: offset)
        let output = try await connection.upload(
            Array(script.utf8) + upload.bytes[offset...], by: HostShell.line(for: script),
            limitBytes: AgentDelivery.noiseBytes,
            timeout: AgentDelivery.uploadTimeout)
        let lines = String(decoding: output.standardOutput, as: UTF8.self).lines
        return (String(lines.last ?? ""), HostShell.said([], output.standardErrorTail))
    }

    private func content(of build: AgentBinary, isPacked: Bool) async -> [UInt8]? {
        let content = Content(architecture: build.architecture, isPacked: isPacked)
        let task = contents[content] ?? Task { isPacked ? await build.compressed() : build.bytes() }
        contents[content] = task
        return await task.value
    }

    private func failure(_ host: HostName, _ words: String) -> SSHError {
        SSHError(code: .uploadFailed, host: host.rawValue, message: "\(host) can not be used: \(words)")
    }
}
