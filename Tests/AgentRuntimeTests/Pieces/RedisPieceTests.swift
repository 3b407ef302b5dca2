import ContentDigest
import Foundation
import Glibc
import TestSupport
import Testing
import UpgradeDomain

/// Runs the page's redis block against a real redis and a replica of it.
@Suite(.enabled(if: RedisServer.isInstalled, "needs redis-server and redis-tools")) struct RedisPieceTests {
    @Test func lostDataALostReplicaAndAFailoverAreBad() async throws {
        let host = try HostUnderTest()
        let redis = try await RedisServer("main", of: host)
        let replica = try await RedisServer("replica", of: host, ["--replicaof", "127.0.0.1", "\(redis.port)"])
        for number in 1...20 { try redis.ask("set", "key-\(number)", "value") }
        let piece = try redis.piece()
        try await eventually("the replica to connect", every: .milliseconds(50)) {
            try redis.ask("info", "replication").contains("state=online")
        }
        let before = try await piece.baseline(on: host)
        #expect(before.items(of: "redis").contains("role: master healthy"))
        #expect(before.items(of: "redis").contains("replicas: 1 healthy"))
        #expect(before.items(of: "keys") == ["keys: 20 healthy"])
        try redis.ask("del", "key-1", "key-2")
        try await piece.wait(for: [], on: host, since: before)
        try redis.ask("del", "key-3")
        try await piece.wait(for: ["evidence-regressed keys keys"], on: host, since: before)
        for number in 1...3 { try redis.ask("set", "key-\(number)", "value") }

        try replica.ask("replicaof", "no", "one")
        try await piece.wait(for: ["evidence-regressed redis replicas"], on: host, since: before)
        try redis.ask("replicaof", "127.0.0.1", "\(replica.port)")
        try await piece.wait(
            for: ["evidence-regressed redis role", "evidence-regressed redis replicas"], on: host, since: before)
    }

    @Test func aServerThatIsStoppedOrCanNotSaveIsUnknown() async throws {
        let host = try HostUnderTest()
        let redis = try await RedisServer("main", of: host)
        try redis.ask("set", "key", "value")
        let piece = try redis.piece()
        let before = try await piece.baseline(on: host)
        try redis.makeUnwritable()
        try redis.ask("bgsave")
        try await piece.wait(for: ["evidence-unknown redis "], on: host, since: before)
        #expect(
            try piece.capture(on: host).unknown("redis")?.detail == "'/rdb_last_bgsave_status' is 'err', not 'ok'")
        redis.server.end()
        try await piece.wait(
            for: [
                "evidence-unknown version:redis ", "version-mismatch version:redis redis", "evidence-unknown redis ",
                "evidence-unknown keys ",
            ], on: host, since: before)
    }

    /// An upgrade of its package replaces `redis-cli`, too.
    @Test func anotherClientIsExpectedAndNothingElse() async throws {
        let host = try HostUnderTest()
        let redis = try await RedisServer("main", of: host)
        let piece = try redis.piece()
        let before = try await piece.baseline(on: host)
        var after = before
        for index in after.surfaces.indices where after.surfaces[index].instrumentDigest != nil {
            after.surfaces[index].instrumentDigest = Digest("sha256:" + String(repeating: "0", count: 64))
        }
        #expect(
            piece.problems(after, since: before) == [
                "instrument-changed materialization instrument", "instrument-changed path instrument",
            ])
    }

    @Test func thePasswordOfTheACLUserIsReadFromItsFile() async throws {
        let host = try HostUnderTest()
        let redis = try await RedisServer("main", of: host, acl: try PiecesPage.block(of: "text", in: "redis"))
        let command = try #require(try PiecesPage.blocks(of: "yaml", in: "redis").last)
            .replacingOccurrences(of: "6379", with: "\(redis.port)").trimmingCharacters(in: .newlines)
        let piece = try redis.piece([(#"run: [redis-cli, -p, "6379", info]"#, command)])
        try host.write(".redis-lockflight", "CHANGE-ME\n")
        let taken = try piece.capture(on: host)
        #expect(taken.items(of: "redis").first == "role: master healthy")
        // Without the password, redis-cli prints a refusal and exits with 0.
        #expect(taken.unknown("keys")?.code == .unparsable)
        try host.write(".redis-lockflight", "wrong\n")
        #expect(
            try piece.capture(on: host).unknown("redis")?.detail
                == "no line of the answer is 'name: value' or 'name=value'")
    }
}

private final class RedisServer {
    let port: UInt16
    let server: RealServer
    private let folder: URL

    static var isInstalled: Bool { RealServer.isInstalled("/usr/bin/redis-server", "/usr/bin/redis-cli") }

    init(_ name: String, of host: HostUnderTest, _ options: [String] = [], acl: String? = nil) async throws {
        folder = try RealServer.folder(name, of: host)
        port = try RealServer.freePort()
        var words = ["redis-server", "--bind", "127.0.0.1", "--port", "\(port)", "--repl-diskless-sync-delay", "0"]
        if let acl {
            try "user default off\n\(acl)".write(
                to: folder.appending(path: "users.acl"), atomically: false, encoding: .utf8)
            words += ["--aclfile", folder.appending(path: "users.acl").path]
        }
        server = try RealServer(words + options, in: folder, of: host)
        try await eventually("redis to answer", every: .milliseconds(50)) {
            // Whoever it refuses, it answers.
            (try? ask("ping")).map { $0.contains("PONG") || $0.contains("NOAUTH") } ?? false
        }
    }

    func piece(_ changes: [(String, String)] = []) throws -> Piece {
        let version = try RealServer.run(["redis-server", "--version"], in: folder)
        let number = try #require(version.firstMatch(of: /v=([0-9.]+)/)).1
        return try Piece(
            try PiecesPage.block(
                of: "yaml", in: "redis", replacing: [("6379", "\(port)"), ("7.0.15", String(number))] + changes),
            in: folder.deletingLastPathComponent())
    }

    @discardableResult func ask(_ words: String...) throws -> String {
        try RealServer.run(["redis-cli", "-p", "\(port)"] + words, in: folder)
    }

    /// A save needs a new file in the server's folder.
    func makeUnwritable() throws {
        guard chown(folder.path, 0, 0) == 0 || chmod(folder.path, 0o500) == 0 else { throw Surprise("chmod: \(errno)") }
    }
}
