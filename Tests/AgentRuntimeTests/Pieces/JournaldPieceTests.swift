import Foundation
import Glibc
import TestSupport
import Testing
import UpgradeDomain

/// Runs the page's journald block against a real journald and the log of a real unit.
@Suite(.serialized, .enabled(if: PrivateSystemd.isAvailable, "needs root, systemd and dbus-daemon"))
struct JournaldPieceTests {
    @Test func anErrorOfTheUnitSinceTheBaselineIsBadAndAnOlderOneIsNot() async throws {
        let systemd = try PrivateSystemd()
        defer { systemd.end() }
        let host = try HostUnderTest()
        let piece = try JournaldPieceTests.piece(in: host)
        try await JournaldPieceTests.startJournald(in: systemd)
        let taken = try piece.capture(on: host, within: systemd.prefix)
        #expect(taken.items(of: "journal") == ["entries: 0 unhealthy"])
        #expect(taken.items(of: "errors") == ["errors: 0 healthy"])

        // It logs each line that is written into its fifo.
        _ = try systemd.run("mkfifo", "/run/lines")
        _ = try systemd.run(
            "systemd-run", "--quiet", "--unit=stack-api", "sh", "-c",
            "while read -r line; do echo \"$line\"; done <>/run/lines")
        func log(_ line: String) throws { _ = try systemd.run("sh", "-c", "echo '\(line)' >/run/lines") }
        try log("<3>broken before the change")
        try await eventually("the first error", every: .milliseconds(100)) {
            try piece.capture(on: host, within: systemd.prefix).items(of: "errors") == ["errors: 1 healthy"]
        }
        let before = try await piece.baseline(on: host, within: systemd.prefix)
        try log("<4>only a warning")
        try await eventually("the warning", every: .milliseconds(100)) {
            try systemd.run("journalctl", "--quiet", "--unit", "stack-api.service").contains("only a warning")
        }
        #expect(piece.problems(try piece.capture(on: host, within: systemd.prefix), since: before) == [])
        try log("<3>broken by the change")
        try await piece.wait(
            for: ["evidence-regressed errors errors"], on: host, since: before, within: systemd.prefix)
        _ = try systemd.run("systemctl", "kill", "--signal=KILL", "stack-api.service")
        try await piece.wait(
            for: ["evidence-regressed unit state", "evidence-regressed errors errors"], on: host, since: before,
            within: systemd.prefix)
    }

    @Test func moreErrorsThanAreCountedAreBadWithoutABaseline() async throws {
        let systemd = try PrivateSystemd()
        defer { systemd.end() }
        let host = try HostUnderTest()
        let piece = try JournaldPieceTests.piece(in: host)
        try await JournaldPieceTests.startJournald(in: systemd)
        _ = try systemd.run(
            "systemd-run", "--quiet", "--unit=stack-api", "sh", "-c",
            "i=0; while [ $i -lt 600 ]; do echo \"<3>broken $i\"; i=$((i + 1)); done; sleep 1000")
        try await eventually("the errors", every: .milliseconds(100)) {
            let taken = try piece.capture(on: host, within: systemd.prefix)
            return taken.items(of: "errors") == ["errors: 500 unhealthy"]
                && piece.problem(taken)?.code == .baselineUnhealthy
        }
    }

    private static func piece(in host: HostUnderTest) throws -> Piece {
        try Piece(try PiecesPage.block(of: "yaml", in: "journald"), in: host.folder)
    }

    /// It keeps its entries in memory, so that none get into this machine's journal.
    private static func startJournald(in systemd: PrivateSystemd) async throws {
        let settings = "[Journal]\\nStorage=volatile\\nForwardToSyslog=no\\nForwardToWall=no\\n"
        _ = try systemd.run(
            "sh", "-c",
            "mkdir -p /run/systemd/journald.conf.d && printf '\(settings)' >/run/systemd/journald.conf.d/test.conf")
        _ = try systemd.run(
            "systemd-run", "--quiet", "--unit=systemd-journald", "--property=StandardOutput=null",
            "/lib/systemd/systemd-journald")
        try await eventually("journald to listen", every: .milliseconds(50)) {
            (try? systemd.run("test", "-S", "/run/systemd/journal/stdout")) != nil
        }
    }
}
