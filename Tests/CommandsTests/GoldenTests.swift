import ArgumentParser
import ContentDigest
import Foundation
import Ledger
import OperatorCommands
import RolloutEngine
import Testing
import UpgradeDomain

@testable import Commands
@testable import RunRecord
@testable import RunViews

/// This build reads what an earlier build wrote. Tests/Golden describes the files.
struct GoldenTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../Golden/0.1.0").standardizedFileURL

    /// Uses a copy of the ledger, because a reader leaves files beside it.
    private func withLedger(_ body: (Ledger) async throws -> Void) async throws {
        let copy = FileManager.default.temporaryDirectory.appending(path: "lockflight-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: copy, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: copy) }
        let file = copy.appending(path: "ledger.sqlite")
        try Data(contentsOf: GoldenTests.folder.appending(path: "ledger.sqlite")).write(to: file)
        try await body(try await Ledger.openExisting(at: file.path))
    }

    @Test func anOldLedgerVerifiesAndItsRunsReadAsBefore() async throws {
        try await withLedger { ledger in
            #expect(try await ledger.verify(run: nil, followedBy: { OverviewKeeper(at: nil) }).isSound)
            let runs = try await ledger.runs().map(\.id)
            #expect(runs == ["r-dsc2dd", "r-7qxkqw"])
            var states: [RolloutState] = []
            for run in runs {
                let events = try await ledger.events(of: run)
                states.append(try #require(RolloutState.fold(events, at: .zero)))
            }
            #expect(states[0].status == .held(.evidenceRegressed) && states[1].status == .finalized)
            #expect(states[0].boundaryRecord?.touched.map(\.description) == ["data-1/data", "core-1/core"])
            #expect(states[0].refusal(of: .rollback(scope: .all, breakGlass: nil)) == nil)
            for run in runs {
                #expect(RolloutState.permissionFault(in: try await ledger.allEvents(of: run)) == nil)
            }
        }
    }

    /// The first command that opens the ledger updates its schema, which changes no records.
    @Test func aCommandThatOnlyReadsOpensIt() async throws {
        try await withLedger { ledger in
            let heads = try await ledger.runs().map(\.headHash)
            let copy = ledger.path + ".again"
            try Data(contentsOf: GoldenTests.folder.appending(path: "ledger.sqlite"))
                .write(to: URL(fileURLWithPath: copy))
            let reader = try await Ledger.openReadOnly(at: copy)
            #expect(try await reader.runs().map(\.headHash) == heads)
            #expect(try await reader.verify().isSound)
        }
    }

    @Test func everyEventEncodesToItsStoredBytes() throws {
        for name in ["held", "finalized"] {
            let bundle = try CanonicalJSON.decode(
                EvidenceBundle.self,
                from: Array(try Data(contentsOf: GoldenTests.folder.appending(path: "\(name).bundle.json"))))
            #expect(bundle.events.count > 30)
            for event in bundle.events {
                let value = try CanonicalJSON.decode(RunEvent.self, from: Array(event.payload.utf8))
                #expect(String(decoding: try CanonicalJSON.encode(value), as: UTF8.self) == event.payload)
            }
        }
    }

    @Test(arguments: ["held", "finalized"])
    func aBundleProvesItself(_ name: String) async throws {
        let file = GoldenTests.folder.appending(path: "\(name).bundle.json").path
        let context = Context(
            commandLines: CommandLines(), ledgerPath: "/nowhere/ledger.sqlite", isJSON: false, style: .plain, width: 80,
            isTerminal: false, environment: [:])
        let result = try await EvidenceVerify.parse([file]).perform(context)
        #expect(result.status == .verified && result.remarks.count == 2)
    }
}
