import CoordinatorRuntime
import Foundation
import SSHTransport
import SafeText
import UpgradeDomain

/// Starts the agent on a host, after bringing it there if that very build is not there yet.
///
/// One command finds out and starts it: a host that has the build costs no other round trip. What an interrupted upload left is
/// continued by the next one, if its bytes are the beginning of the same.
actor AgentDelivery {
    /// Where agents are kept on a host, below the login's home.
    static let folder = ".local/lib/lockflight"
    static let uploadTimeout = Duration.seconds(60)
    /// Bytes that rc files may print before the first word of ours.
    static let noiseBytes = 65_536

    private let binaries: AgentBinaries
    private let startTimeout: Duration
    /// Every build, looked for at the first host.
    private lazy var builds = binaries.find()
    /// What is sent of each build, read for the first host that needs it and shared by all.
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

    /// - Throws: `uploadFailed` when the host can have no agent.
    func start<Connection: RemoteConnection>(
        on host: HostName, over connection: Connection
    ) async throws(SSHError) -> Started<Connection.Command> {
        var found = try await look(connection)
        if case .absent(let absence) = found {
            try await bring(absence, to: host, over: connection)
            found = try await look(connection)
        }
        switch found {
        case .started(let started): return started
        case .absent:
            throw failure(
                host, "the agent was stored and is gone again; see what removes files from ~/\(AgentDelivery.folder)")
        }
    }

    // MARK: Looking

    private enum Found<Command: RemoteCommand> {
        case started(Started<Command>)
        case absent(AgentScript.Absence)
    }

    private func look<Connection: RemoteConnection>(
        _ connection: Connection
    ) async throws(SSHError) -> Found<Connection.Command> {
        let command = try await connection.execute(AgentScript.startOrLook(builds))
        var heard: [UInt8] = []
        while heard.count <= AgentDelivery.noiseBytes, let bytes = try await command.read(timeout: startTimeout) {
            heard += bytes
            switch AgentScript.answer(in: heard) {
            case .present(let rest)?: return .started(Started(command: command, output: rest))
            case .absent(let absence)?: return .absent(absence)
            case nil: continue
            }
        }
        let words = String(decoding: await command.standardErrorTail().suffix(200), as: UTF8.self)
        command.close()
        throw failure(
            HostName(connection.target.host), "its shell did not say whether the agent is there; is it a POSIX shell?",
            cause: words)
    }

    // MARK: Bringing

    private func bring(
        _ absence: AgentScript.Absence, to host: HostName, over connection: some RemoteConnection
    ) async throws(SSHError) {
        guard let build = builds.first(where: { $0.architecture == absence.architecture }) else {
            let have = builds.isEmpty ? "none" : builds.map(\.architecture).joined(separator: ", ")
            throw failure(
                host,
                "there is no lockflight-agent build for its architecture \(absence.architecture) (there is: \(have); looked in "
                    + "\(binaries.folders.joined(separator: ", "))). Build it there or for it with: make agent")
        }
        let packed = absence.hasGzip ? await content(of: build, isPacked: true) : nil
        var bytes = packed
        if bytes == nil { bytes = await content(of: build, isPacked: false) }
        guard let bytes else { throw failure(host, "its agent can not be read here: \(build.path)") }
        let upload = AgentUpload(build: build, bytes: bytes, isPacked: packed != nil)
        let offset = upload.offset(after: absence)
        let end = try await send(upload, from: offset, over: connection)
        // Somebody else took up what had been interrupted.
        let lastEnd = end.word == "lost" ? try await send(upload, from: 0, over: connection) : end
        guard lastEnd.word == "published" else {
            throw failure(
                host,
                "the agent could not be stored there; check the free space and the permissions of ~/\(AgentDelivery.folder)",
                cause: lastEnd.errors)
        }
    }

    private func send(
        _ upload: AgentUpload, from offset: Int, over connection: some RemoteConnection
    ) async throws(SSHError) -> (word: String, errors: String) {
        let output = try await connection.upload(
            Array(upload.bytes[offset...]), by: upload.script(from: offset), limitBytes: AgentDelivery.noiseBytes,
            timeout: AgentDelivery.uploadTimeout)
        let lines = String(decoding: output.standardOutput, as: UTF8.self).fields(separatedBy: "\n")
        return (String(lines.last ?? ""), String(decoding: output.standardErrorTail.suffix(200), as: UTF8.self))
    }

    private func content(of build: AgentBinary, isPacked: Bool) async -> [UInt8]? {
        let content = Content(architecture: build.architecture, isPacked: isPacked)
        let task = contents[content] ?? Task { isPacked ? await build.compressed() : build.bytes() }
        contents[content] = task
        return await task.value
    }

    private func failure(_ host: HostName, _ words: String, cause: String? = nil) -> SSHError {
        SSHError(
            code: .uploadFailed, host: host.rawValue, message: "\(host) can take no part: \(words)", cause: cause)
    }
}
