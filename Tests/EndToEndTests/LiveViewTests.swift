import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Tests what a person sees of a watched run, with a terminal emulator.
struct LiveViewTests {
    static let python = "/usr/bin/python3"
    static let hasEmulator = FileManager.default.fileExists(atPath: "/usr/lib/python3/dist-packages/pyte")
    private static let emulator = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "Terminal/emulate.py").path

    private struct Seen: Decodable {
        var code: Int32
        var lines: [String]
        var pieces: Int
        var resizes: Int

        /// How often the head of the view is visible.
        var heads: Int { lines.count { $0.hasPrefix("r-") && $0.contains(" -> ") } }
    }

    private func watch(_ plan: String, of fleet: FleetFixture, in sizes: String) async throws -> Seen {
        let command =
            "\(LiveViewTests.python) '\(LiveViewTests.emulator)' \(sizes) lockflight rollout start \(plan) --watch"
        let outcome = try await fleet.runVerbatim(command)
        return try JSONDecoder().decode(Seen.self, from: Data(outcome.output.utf8))
    }

    @Test(.enabled(if: hasEmulator, "needs pyte for the system's Python"))
    func theLiveViewLeavesNothingBehindInAShortOrResizedTerminal() async throws {
        try await FleetFixture.with(.standard(hosts: 8)) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            let low = try await watch("lab-1.5.0", of: fleet, in: "10x60")
            #expect(low.code == FleetFixture.Exit.verified.rawValue && low.heads == 1, "\(low.lines)")
            #expect(low.pieces > 5, "the view has hardly changed: \(low.pieces) pieces")
            try await fleet.expect(.verified, "rollout", "finalize")
            try await fleet.approvePlan(to: "1.6.0")
            try await fleet.lab.inject(.redeployFails, on: "core-2", target: "1.6.0")
            let changing = try await watch("lab-1.6.0", of: fleet, in: "24x100,15x60,10x40,60x200")
            #expect(changing.code == FleetFixture.Exit.held.rawValue && changing.heads == 1, "\(changing.lines)")
            #expect(changing.lines.contains { $0.hasPrefix("held at layer core") })
            #expect(
                low.resizes == 0 && changing.resizes >= 3, "the terminal changed its size \(changing.resizes) times")
        }
    }
}
