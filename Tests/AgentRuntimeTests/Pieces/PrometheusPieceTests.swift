import Foundation
import Glibc
import Testing
import UpgradeDomain

/// Runs the page's Prometheus block against a real Prometheus that watches itself and a target.
@Suite(.enabled(if: PrometheusServer.isInstalled, "needs prometheus")) struct PrometheusPieceTests {
    @Test func aTargetThatIsGoneIsDownAndItsAlertFires() async throws {
        let prometheus = try PrometheusServer()
        let piece = try prometheus.piece()
        let before = try await piece.baseline(on: prometheus.host)
        #expect(before.items(of: "ready") == ["result: 200 healthy"])
        #expect(before.items(of: "targets").filter { $0.hasSuffix(": up healthy") }.count == 2)
        #expect(before.items(of: "alerts") == ["Never", "Later", "TargetDown"].map { "\($0): inactive, ok healthy" })
        #expect(before.items(of: "alert-count") == ["alerts: 0 healthy"])
        prometheus.target.end()
        try await piece.wait(
            for: [
                "evidence-regressed targets app/127.0.0.1:\(prometheus.targetPort)",
                "evidence-regressed alerts Later", "evidence-regressed alerts TargetDown",
                "evidence-regressed alert-count alerts",
            ], on: prometheus.host, since: before)
        #expect(
            try piece.capture(on: prometheus.host).items(of: "alerts") == [
                "Never: inactive, ok healthy", "Later: pending, ok unhealthy", "TargetDown: firing, ok unhealthy",
            ])
    }

    @Test func aTargetOrARuleThatIsNoLongerConfiguredIsMissing() async throws {
        let prometheus = try PrometheusServer()
        let piece = try prometheus.piece()
        let before = try await piece.baseline(on: prometheus.host)
        try prometheus.configure(isWatchingTarget: false, rules: ["Later", "TargetDown"])
        try prometheus.reload()
        try await piece.wait(
            for: [
                "evidence-missing targets app/127.0.0.1:\(prometheus.targetPort)", "evidence-missing alerts Never",
            ], on: prometheus.host, since: before)
        prometheus.server.end()
        try await piece.wait(
            for: [
                "evidence-unknown version:prometheus ", "version-mismatch version:prometheus prometheus",
                "evidence-unknown ready ", "evidence-unknown targets ", "evidence-unknown alerts ",
                "evidence-unknown alert-count ",
            ], on: prometheus.host, since: before)
    }
}

private final class PrometheusServer {
    let host: HostUnderTest
    let port: UInt16
    let targetPort: UInt16
    let target: RealServer
    let server: RealServer
    private let folder: URL

    static var isInstalled: Bool { RealServer.isInstalled("/usr/bin/prometheus", "/usr/bin/python3") }

    init() throws {
        host = try HostUnderTest()
        folder = try RealServer.folder("prometheus", of: host)
        (port, targetPort) = (try RealServer.freePort(), try RealServer.freePort())
        try "target_works 1\n".write(to: folder.appending(path: "metrics"), atomically: false, encoding: .utf8)
        target = try RealServer(
            ["python3", "-m", "http.server", "--bind", "127.0.0.1", "\(targetPort)"], in: folder, of: host)
        try PrometheusServer.configure(in: folder, [port, targetPort], rules: ["Never", "Later", "TargetDown"])
        server = try RealServer(
            [
                "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                "--web.listen-address=127.0.0.1:\(port)",
            ], in: folder, of: host)
    }

    func configure(isWatchingTarget: Bool, rules: [String]) throws {
        try PrometheusServer.configure(in: folder, [port] + (isWatchingTarget ? [targetPort] : []), rules: rules)
    }

    func reload() throws {
        guard kill(server.processID, SIGHUP) == 0 else { throw Surprise("kill: \(errno)") }
    }

    func piece() throws -> Piece {
        let version = try RealServer.run(["prometheus", "--version"], in: folder)
        let number = try #require(version.firstMatch(of: /version (\S+)/)).1
        return try Piece(
            try PiecesPage.block(
                of: "yaml", in: "Prometheus", replacing: [("9090", "\(port)"), ("2.42.0+ds", String(number))]),
            in: host.folder)
    }

    /// The first port is its own, a second one is that of the target.
    private static func configure(in folder: URL, _ ports: [UInt16], rules: [String]) throws {
        let jobs = zip(["prometheus", "app"], ports).map { job, port in
            "  - {job_name: \(job), static_configs: [{targets: [\"127.0.0.1:\(port)\"]}]}\n"
        }
        try """
        global: {scrape_interval: 1s, evaluation_interval: 1s}
        rule_files: [rules.yml]
        scrape_configs:
        \(jobs.joined())
        """.write(to: folder.appending(path: "prometheus.yml"), atomically: false, encoding: .utf8)
        let expressions = [
            "Never": "expr: vector(1) > 2", "Later": "expr: up == 0, for: 1h", "TargetDown": "expr: up == 0",
        ]
        let alerts = rules.map { "      - {alert: \($0), \(expressions[$0] ?? "")}\n" }
        try "groups:\n  - name: stack\n    rules:\n\(alerts.joined())".write(
            to: folder.appending(path: "rules.yml"), atomically: false, encoding: .utf8)
    }
}
