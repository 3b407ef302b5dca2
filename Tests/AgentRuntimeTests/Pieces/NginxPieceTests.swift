import Foundation
import Glibc
import TestSupport
import Testing
import UpgradeDomain

/// Runs the page's nginx block against a real nginx in front of an application.
@Suite(.enabled(if: NginxServer.isInstalled, "needs nginx and openssl")) struct NginxPieceTests {
    @Test func anApplicationThatIsGoneFailsThePathAndAStoppedServerIsUnknown() async throws {
        let nginx = try NginxServer()
        let piece = try nginx.piece()
        let before = try await piece.baseline(on: nginx.host)
        #expect(before.items(of: "page") == ["result: 200 healthy"])
        nginx.application.end()
        try await piece.wait(for: ["path-failed page result"], on: nginx.host, since: before)
        nginx.server.end()
        try await piece.wait(
            for: [
                "evidence-unknown version:nginx ", "version-mismatch version:nginx nginx", "evidence-unknown nginx ",
                "evidence-unknown certificate ", "path-failed page ",
            ], on: nginx.host, since: before)
    }

    @Test func moreConnectionsThanTheLimitAreBad() async throws {
        let nginx = try NginxServer()
        let piece = try nginx.piece([("atMost: 700", "atMost: 3")])
        let before = try await piece.baseline(on: nginx.host)
        let connections = try (1...5).map { _ in try IdleConnection(to: nginx.port) }
        try await piece.wait(for: ["evidence-regressed nginx connections"], on: nginx.host, since: before)
        for connection in connections { connection.end() }
        try await piece.wait(for: [], on: nginx.host, since: before)
    }

    @Test func aCertificateThatEndsSoonIsBadAndOneForAnotherNameIsUnknown() async throws {
        let nginx = try NginxServer()
        let piece = try nginx.piece()
        let before = try await piece.baseline(on: nginx.host)
        try nginx.reload(withCertificateFor: "www.example.net", days: 10)
        try await piece.wait(for: ["evidence-regressed certificate certificateDays"], on: nginx.host, since: before)
        try nginx.reload(withCertificateFor: "www.example.net", days: 90)
        try await piece.wait(for: [], on: nginx.host, since: before)
        try nginx.reload(withCertificateFor: "other.example.net", days: 90)
        try await piece.wait(for: ["evidence-unknown certificate "], on: nginx.host, since: before)
    }

    @Test func theGuardrailRefusesABrokenConfiguration() throws {
        let nginx = try NginxServer()
        let guardrails = try nginx.piece().plan.guardrails
        let (good, output) = try nginx.host.session().run(
            nginx.host.start("good", "echo reloaded", guardrails: guardrails))
        #expect(good.outcome == .exited(code: 0))
        #expect(output == "reloaded\n")
        try nginx.configure("server { listen 127.0.0.1:\(nginx.port) ")
        let (bad, words) = try nginx.host.session().run(
            nginx.host.start("bad", "echo reloaded", guardrails: guardrails))
        #expect(bad.outcome == .guardrailRefused(guardrail: "/usr/sbin/nginx", code: 1))
        #expect(words.contains("unexpected \"}\""))
    }
}

private final class NginxServer {
    let host: HostUnderTest
    let port: UInt16
    private let statusPort: UInt16
    private let tlsPort: UInt16
    let application: RealServer
    let server: RealServer
    private let folder: URL
    private let applicationPort: UInt16

    static var isInstalled: Bool { RealServer.isInstalled("/usr/sbin/nginx", "/usr/bin/python3", "/usr/bin/openssl") }

    init() throws {
        host = try HostUnderTest()
        folder = try RealServer.folder("nginx", of: host)
        (port, statusPort) = (try RealServer.freePort(), try RealServer.freePort())
        applicationPort = try RealServer.freePort()
        application = try RealServer(
            ["python3", "-m", "http.server", "--bind", "127.0.0.1", "\(applicationPort)"], in: folder, of: host)
        tlsPort = try RealServer.freePort()
        try RealServer.makeCertificate(for: "www.example.net", days: 30, in: folder)
        try NginxServer.configuration(in: folder, port, applicationPort, statusPort, tlsPort, more: "")
        server = try RealServer(
            ["nginx", "-p", folder.path, "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"], in: folder,
            of: host,
            ending: SIGTERM)
    }

    func configure(_ more: String) throws {
        try NginxServer.configuration(in: folder, port, applicationPort, statusPort, tlsPort, more: more)
    }

    func reload(withCertificateFor name: String, days: Int) throws {
        try RealServer.makeCertificate(for: name, days: days, in: folder)
        guard kill(server.processID, SIGHUP) == 0 else { throw Surprise("kill: \(errno)") }
    }

    /// The page's `sudo -n nginx -t -q` is of the system's nginx; here it is of this one.
    func piece(_ changes: [(String, String)] = []) throws -> Piece {
        let version = try RealServer.run(["nginx", "-v"], in: folder)
        let number = try #require(version.firstMatch(of: /nginx\/([0-9.]+)/)).1
        return try Piece(
            try PiecesPage.block(
                of: "yaml", in: "nginx",
                replacing: [
                    ("${var.entrance}/", "127.0.0.1:\(port)/"), ("port: 443", "port: \(tlsPort)"),
                    ("/etc/ssl/stack-ca.pem", folder.appending(path: "server.pem").path), ("8081", "\(statusPort)"),
                    ("1.22.1", String(number)),
                    (
                        "sudo, -n, /usr/sbin/nginx, -t, -q",
                        "/usr/sbin/nginx, -t, -q, -p, \(folder.path), -c, nginx.conf, -e, error.log"
                    ),
                ] + changes), in: host.folder)
    }

    private static func configuration(
        in folder: URL, _ port: UInt16, _ application: UInt16, _ status: UInt16, _ tls: UInt16, more: String
    ) throws {
        let page = try PiecesPage.block(of: "nginx", in: "nginx", replacing: [("8081", "\(status)")])
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \($0);" }
        try """
        worker_processes 1;
        error_log error.log;
        pid nginx.pid;
        events { worker_connections 64; }
        http {
        access_log off;
        \(temporary.joined(separator: "\n"))
        server {
            listen 127.0.0.1:\(port);
            listen 127.0.0.1:\(tls) ssl;
            ssl_certificate server.pem;
            ssl_certificate_key server.key;
            location / { proxy_pass http://127.0.0.1:\(application); }
        }
        \(page)
        \(more)
        }

        """.write(to: folder.appending(path: "nginx.conf"), atomically: false, encoding: .utf8)
    }
}

/// A connection over which nothing is sent.
private final class IdleConnection {
    private let descriptor: Int32

    init(to port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Surprise("connect: \(errno)") }
    }

    func end() { close(descriptor) }
}
