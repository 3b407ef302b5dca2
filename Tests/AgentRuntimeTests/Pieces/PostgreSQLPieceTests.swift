import Foundation
import Glibc
import TestSupport
import Testing
import UpgradeDomain

/// Runs the page's PostgreSQL block against a real primary and its standby.
@Suite(.enabled(if: PostgreSQLPair.isInstalled, "needs postgresql and openssl")) struct PostgreSQLPieceTests {
    @Test func aStandbyThatFallsBehindIsBadOnBothSidesUntilItHasCaughtUp() async throws {
        let pair = try await PostgreSQLPair()
        let primary = try pair.piece(at: pair.primaryPort)
        let standby = try pair.piece(at: pair.standbyPort)
        let before = (
            primary: try await primary.baseline(on: pair.host), standby: try await standby.baseline(on: pair.host)
        )
        #expect(
            before.primary.items(of: "replication").prefix(2) == ["role: primary healthy", "streams: 1 healthy"])
        #expect(
            before.standby.items(of: "replication").prefix(2) == ["role: standby healthy", "streams: 1 healthy"])
        #expect(before.standby.items(of: "accepting") == ["result: 0 healthy"])

        try pair.sql("select pg_wal_replay_pause()", at: pair.standbyPort)
        try pair.sql("create table big as select repeat('x', 1000) from generate_series(1, 40000)")
        let behind = ["evidence-regressed replication lag bytes"]
        try await primary.wait(for: behind, on: pair.host, since: before.primary)
        try await standby.wait(for: behind, on: pair.host, since: before.standby)

        try pair.sql("select pg_wal_replay_resume()", at: pair.standbyPort)
        try await primary.wait(for: [], on: pair.host, since: before.primary)
        try await standby.wait(for: [], on: pair.host, since: before.standby)
    }

    @Test func aPromotionIsBadOnBothSides() async throws {
        let pair = try await PostgreSQLPair()
        let primary = try pair.piece(at: pair.primaryPort)
        let standby = try pair.piece(at: pair.standbyPort)
        let before = (
            primary: try await primary.baseline(on: pair.host), standby: try await standby.baseline(on: pair.host)
        )
        try pair.sql("select pg_promote()", at: pair.standbyPort)
        try await standby.wait(
            for: [
                "evidence-regressed replication role", "evidence-regressed replication streams",
                "evidence-unknown replication lag bytes",
            ], on: pair.host, since: before.standby)
        try await primary.wait(
            for: ["evidence-regressed replication streams", "evidence-unknown replication lag bytes"], on: pair.host,
            since: before.primary)
    }

    @Test func aServerThatIsStoppedOrDoesNotLetTheRoleInIsUnknown() async throws {
        let pair = try await PostgreSQLPair()
        let piece = try pair.piece(at: pair.primaryPort)
        let before = try await piece.baseline(on: pair.host)
        try pair.sql("alter role lockflight nologin")
        let out = [
            "evidence-unknown version:postgresql ", "version-mismatch version:postgresql postgresql",
            "evidence-unknown replication ",
        ]
        try await piece.wait(for: out, on: pair.host, since: before)
        pair.primary.end()
        try await piece.wait(
            for: Array(out[..<2]) + ["evidence-regressed accepting result", out[2]], on: pair.host, since: before)
    }

    @Test func aCertificateForAnotherNameIsUnknown() async throws {
        let pair = try await PostgreSQLPair()
        let blocks = try PiecesPage.blocks(of: "yaml", in: "PostgreSQL")
        let piece = try Piece(
            blocks[1].replacingEach([
                ("5432", "\(pair.primaryPort)"), ("/etc/ssl/stack-ca.pem", pair.certificate),
            ]), in: pair.host.folder)
        let before = try await piece.baseline(on: pair.host)
        #expect(before.items(of: "certificate").contains("tlsVersion: 1.3 healthy"))
        try pair.reload(withCertificateFor: "other.example.net")
        try await piece.wait(for: ["evidence-unknown certificate "], on: pair.host, since: before)
    }

    @Test func aRoleThatMayNotSeeTheStatisticsIsNoReplicaWithoutLag() async throws {
        let pair = try await PostgreSQLPair()
        let piece = try pair.piece(at: pair.primaryPort)
        let before = try await piece.baseline(on: pair.host)
        try pair.sql("revoke pg_monitor from lockflight")
        try await piece.wait(
            for: ["evidence-regressed replication streams", "evidence-unknown replication lag bytes"], on: pair.host,
            since: before)
    }
}

/// A primary and its streaming standby, with the role and the password file of the page.
private final class PostgreSQLPair {
    let host: HostUnderTest
    let primaryPort: UInt16
    let standbyPort: UInt16
    let primary: RealServer
    let standby: RealServer
    private let folder: URL

    private static let programs = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql"))?
        .max { (Int($0) ?? 0) < (Int($1) ?? 0) }.map { "/usr/lib/postgresql/\($0)/bin" }

    static var isInstalled: Bool {
        programs.map { RealServer.isInstalled("\($0)/initdb", "\($0)/postgres", "/usr/bin/psql", "/usr/bin/openssl") }
            ?? false
    }

    init() async throws {
        let programs = try #require(PostgreSQLPair.programs)
        host = try HostUnderTest()
        folder = try RealServer.folder("postgresql", of: host)
        (primaryPort, standbyPort) = (try RealServer.freePort(), try RealServer.freePort())
        let (folder, host) = (folder, host)
        func start(_ data: String, _ port: UInt16) throws -> RealServer {
            let options = [
                "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB",
                "ssl=on", "ssl_cert_file=\(folder.path)/server.pem", "ssl_key_file=\(folder.path)/server.key",
            ]
            // SIGQUIT ends it at once; nothing has to outlive the test.
            return try RealServer(
                ["\(programs)/postgres", "-D", data, "-p", "\(port)"] + options.flatMap { ["-c", $0] }, in: folder,
                of: host,
                ending: SIGQUIT)
        }
        try RealServer.makeCertificate(for: "db.example.net", days: 30, in: folder)
        // The superuser is trusted; every other role needs its password.
        try RealServer.run(
            ["\(programs)/initdb", "-D", "primary", "-U", "postgres", "-A", "trust", "--no-sync"], in: folder)
        let rules = folder.appending(path: "primary/pg_hba.conf")
        try """
        host all,replication postgres 127.0.0.1/32 trust
        host all all 127.0.0.1/32 scram-sha-256

        """.write(to: rules, atomically: false, encoding: .utf8)
        primary = try start("primary", primaryPort)
        try await PostgreSQLPair.waitUntilItAccepts(primaryPort, folder)
        try RealServer.run(
            [
                "\(programs)/pg_basebackup", "-h", "127.0.0.1", "-p", "\(primaryPort)", "-U", "postgres", "-D",
                "standby", "-R",
                "-c", "fast", "--no-sync",
            ], in: folder)
        standby = try start("standby", standbyPort)
        try await PostgreSQLPair.waitUntilItAccepts(standbyPort, folder)
        try sql(try PiecesPage.block(of: "sql", in: "PostgreSQL"))
        let entries = try [primaryPort, standbyPort].map {
            try PiecesPage.block(of: "text", in: "PostgreSQL", replacing: [("5432", "\($0)")])
        }
        try host.write(".pgpass", entries.joined())
        #expect(chmod(host.folder.appending(path: ".pgpass").path, 0o600) == 0)
    }

    func piece(at port: UInt16) throws -> Piece {
        let version = try sql("select split_part(current_setting('server_version'), ' ', 1)")
        return try Piece(
            try PiecesPage.block(of: "yaml", in: "PostgreSQL", replacing: [("5432", "\(port)"), ("15.18", version)]),
            in: host.folder)
    }

    var certificate: String { folder.appending(path: "server.pem").path }

    func reload(withCertificateFor name: String) throws {
        try RealServer.makeCertificate(for: name, days: 30, in: folder)
        try sql("select pg_reload_conf()")
    }

    @discardableResult func sql(_ text: String, at port: UInt16? = nil) throws -> String {
        try RealServer.run(
            ["psql", "-XAtwq", "-h", "127.0.0.1", "-p", "\(port ?? primaryPort)", "-U", "postgres", "-c", text],
            in: folder
        ).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func waitUntilItAccepts(_ port: UInt16, _ folder: URL) async throws {
        try await eventually("PostgreSQL to accept connections", every: .milliseconds(50)) {
            (try? RealServer.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", "\(port)"], in: folder)) != nil
        }
    }
}
