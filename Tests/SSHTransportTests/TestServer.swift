import Foundation
import Glibc
import TestSupport
import Testing

@testable import SSHTransport

/// A real sshd for this test only, on a loopback address and a free port, with its files in its own folder,
/// which is also the home of its sessions: no account's start-up files run.
final class TestServer: Sendable {
    let address: String
    let port: Int
    let folder: String
    let hostKey: SSHHostKey
    private let process: pid_t

    var logPath: String { "\(folder)/log" }
    var userKeyPath: String { "\(folder)/user-ed25519" }

    /// Starts sshd, runs the body, and always stops sshd with its sessions.
    ///
    /// - Parameters:
    ///   - startups: its MaxStartups.
    ///   - everyAddress: whether it listens on its port on all loopback addresses.
    ///   - isIPv6: whether it listens on its port on `::1` as well.
    static func run(
        hostKeyType: [String] = ["-t", "ed25519"], userKey: [String] = ["-t", "ed25519"], passphrase: String = "",
        config: String = "", startups: String = "2000:30:4000", everyAddress: Bool = false, isIPv6: Bool = false,
        inside namespace: NetworkNamespace? = nil, _ body: (TestServer) async throws -> Void
    ) async throws {
        let server = try TestServer(
            hostKeyType: hostKeyType, userKey: userKey, passphrase: passphrase, config: config, startups: startups,
            everyAddress: everyAddress, isIPv6: isIPv6, namespace: namespace)
        do {
            try await server.waitUntilListening()
            try await body(server)
        } catch {
            server.stop()
            throw error
        }
        server.stop()
    }

    private init(
        hostKeyType: [String], userKey: [String], passphrase: String, config: String, startups: String,
        everyAddress: Bool, isIPv6: Bool, namespace: NetworkNamespace?
    ) throws {
        address = namespace?.address ?? "127.0.0.\(Int.random(in: 2...250))"
        folder = try temporaryFolder()
        // There are no other servers inside.
        port = try namespace == nil ? freePort(address) : 2_222
        try makeKey(hostKeyType, at: "\(folder)/host")
        try makeKey(userKey, at: "\(folder)/user-ed25519", passphrase: passphrase)
        hostKey = try #require(SSHHostKey(openSSH: try String(contentsOfFile: "\(folder)/host.pub", encoding: .utf8)))
        try """
        ListenAddress \(everyAddress ? "0.0.0.0" : address):\(port)
        \(isIPv6 ? "ListenAddress [::1]:\(port)" : "")
        HostKey \(folder)/host
        AuthorizedKeysFile \(folder)/user-ed25519.pub
        PidFile none
        UsePAM no
        StrictModes no
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        PermitRootLogin prohibit-password
        MaxStartups \(startups)
        LogLevel DEBUG1
        SetEnv HOME=\(folder)
        \(config)
        """.write(toFile: "\(folder)/config", atomically: true, encoding: .utf8)
        if getuid() == 0 {
            try FileManager.default.createDirectory(atPath: "/run/sshd", withIntermediateDirectories: true)
        }
        process = try spawn(
            (namespace?.prefix ?? []) + ["/usr/sbin/sshd", "-D", "-f", "\(folder)/config", "-E", "\(folder)/log"])
    }

    private func waitUntilListening() async throws {
        try await eventually("sshd listens") { probe(self.address, self.port) }
    }

    func stop() {
        kill(process, SIGTERM)
        _ = exitStatus(of: process)
        try? FileManager.default.removeItem(atPath: folder)
    }

    var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    func identity() throws -> SSHIdentity { try SSHIdentity.load(path: userKeyPath) }

    func target(
        hostKeys: [SSHHostKey]? = nil, identities: [SSHIdentity]? = nil, named name: String = "core-1",
        behind jumps: [SSHTarget] = [], deadlines: SSHDeadlines = .patient
    ) throws -> SSHTarget {
        SSHTarget(
            host: name, address: address, port: port, user: NSUserName(), hostKeys: hostKeys ?? [hostKey],
            identities: try identities ?? [identity()], jumps: jumps, deadlines: deadlines)
    }
}

extension SSHDeadlines {
    /// For tests that expect no timeout even on a busy machine.
    static let patient = SSHDeadlines(
        resolution: .seconds(55), connect: .seconds(55), handshake: .seconds(55), authentication: .seconds(55),
        agent: .seconds(55), exec: .seconds(55))
}

/// Runs the body with a client that is shut down afterwards.
func withClient(
    threads: Int = 1, names: NameResolver = NameResolver(), _ body: (SSHClient) async throws -> Void
) async throws {
    let client = SSHClient(threadCount: threads, names: names)
    do {
        try await body(client)
    } catch {
        await client.shutdown()
        throw error
    }
    await client.shutdown()
}

/// Returns the error that the body throws; anything else fails the test.
func failure(of body: () async throws -> Void) async throws -> SSHError {
    try #require(await #expect(throws: SSHError.self) { try await body() })
}

func temporaryFolder() throws -> String {
    let folder = NSTemporaryDirectory() + "/lockflight-ssh-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return URL(filePath: folder).standardizedFileURL.path()
}

func makeKey(_ arguments: [String], at path: String, passphrase: String = "") throws {
    let process = try spawn(["/usr/bin/ssh-keygen"] + arguments + ["-q", "-N", passphrase, "-f", path])
    try #require(exitStatus(of: process) == 0)
}

/// - Parameter environment: the whole environment; nil for this process's own.
func spawn(_ arguments: [String], environment: [String]? = nil) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var pointers = arguments.map { strdup($0) } + [nil]
    var variables = (environment ?? []).map { strdup($0) } + [nil]
    defer { for pointer in pointers + variables { free(pointer) } }
    var process: pid_t = 0
    let status = variables.withUnsafeMutableBufferPointer { variables in
        posix_spawn(
            &process, arguments[0], &actions, nil, &pointers,
            environment == nil ? environ : variables.baseAddress)
    }
    try #require(status == 0)
    return process
}

func exitStatus(of process: pid_t) -> CInt {
    var status: CInt = -1
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status
}

// MARK: Our own sockets

/// A listener that answers as the test says, never with the SSH protocol.
final class RawListener: Sendable {
    let descriptor: CInt
    let port: Int

    init(backlog: CInt = 16) throws {
        (descriptor, port) = try boundSocket("127.0.0.1")
        try #require(listen(descriptor, backlog) == 0)
    }

    /// What happens after its text.
    enum Ending: Sendable { case silence, hangUp, reset }

    /// Accepts one connection on its own thread, sends `text`, and then ends as given.
    func serveOnce(_ text: String, _ ending: Ending) {
        let descriptor = descriptor
        Thread.detachNewThread {
            let peer = accept(descriptor, nil, nil)
            guard peer >= 0 else { return }
            _ = text.withCString { send(peer, $0, strlen($0), CInt(MSG_NOSIGNAL)) }
            switch ending {
            case .silence: break
            case .hangUp: shutdown(peer, Int32(SHUT_WR))
            case .reset:
                var byte: UInt8 = 0
                recv(peer, &byte, 1, 0)
                _ = close(peer)
                return
            }
            var byte: UInt8 = 0
            while recv(peer, &byte, 1, 0) > 0 {}
            close(peer)
        }
    }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

/// - Parameter port: 0 for a free port.
func boundSocket(
    _ address: String, type: __socket_type = SOCK_STREAM, port: Int = 0
) throws -> (descriptor: CInt, port: Int) {
    let descriptor = socket(AF_INET, CInt(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
    try #require(descriptor >= 0)
    var name = socketAddress(address, port)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &name) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
        }
    }
    try #require(bound)
    return (descriptor, Int(UInt16(bigEndian: name.sin_port)))
}

func freePort(_ address: String) throws -> Int {
    let (descriptor, port) = try boundSocket(address)
    close(descriptor)
    return port
}

/// Starts a TCP connect without waiting; the descriptor stays open.
func beginConnect(_ address: String, _ port: Int, nonblocking: Bool) -> (descriptor: CInt, isConnected: Bool) {
    let flags = nonblocking ? SOCK_NONBLOCK.rawValue : 0
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | flags), 0)
    var name = socketAddress(address, port)
    let status = withUnsafePointer(to: &name) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    return (descriptor, status == 0)
}

private func probe(_ address: String, _ port: Int) -> Bool {
    let (descriptor, isConnected) = beginConnect(address, port, nonblocking: false)
    close(descriptor)
    return isConnected
}

private func socketAddress(_ address: String, _ port: Int) -> sockaddr_in {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = UInt16(port).bigEndian
    inet_pton(AF_INET, address, &name.sin_addr)
    return name
}
