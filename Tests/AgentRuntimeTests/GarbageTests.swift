import AgentProtocol
import Foundation
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// The journal is bounded but never drops what a run still needs.
@Suite struct GarbageTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "lockflight-garbage-\(UUID().uuidString)")

    private func journal() -> OperationJournal {
        OperationJournal(state: StateFolder(folder: Folder(path: folder.path), machine: LinuxHost()))
    }

    private func begin(_ id: OperationID, of run: RunID, in journal: OperationJournal, ended: Bool = true) throws {
        let digest = Digest("sha256:" + String(repeating: "0", count: 64))
        let command = ScriptCommand(arguments: ["true"], timeoutSeconds: 1)
        let intent = OperationIntent(
            id: id, placement: Placement(host: "h", layer: "l"), action: .step(name: "redeploy"), attempt: 1,
            boundary: .preflight, planDigest: digest, epoch: 1)
        let request = StartRequest(
            intent: intent, run: run, chainHead: digest, workingDirectory: "/", guardrails: [], command: command,
            usesPreservedScript: false)
        try journal.record(JournaledIntent(request: request, bootID: LinuxHost().bootID, begunAt: .now))
        if ended { try journal.conclude(OperationRecord(id: id, outcome: .exited(code: 0))) }
    }

    @Test func onlyTheOldestThatNoRunNeedsAreForgotten() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let journal = journal()
        try journal.state.folder.create()
        try journal.state.operations.create()
        try begin("r-old.lost", of: "r-old", in: journal, ended: false)
        try begin("r-now.first", of: "r-now", in: journal)
        for number in 0..<AgentLimits.keptOperations + 5 {
            try begin(OperationID("r-old.\(number)"), of: "r-old", in: journal)
        }
        try journal.tombstone("r-now.never")
        for number in 0..<AgentLimits.keptOperations + 3 { try journal.tombstone(OperationID("r-old.never\(number)")) }

        try journal.collectGarbage(for: "r-now")

        let kept = Set(journal.state.operations.names())
        // Seven exceed the limit; of the oldest seven, one has no record and one belongs to the run.
        #expect(kept.count == AgentLimits.keptOperations + 2)
        #expect(kept.contains("r-old.lost") && kept.contains("r-now.first"))
        #expect(!kept.contains("r-old.0") && !kept.contains("r-old.4") && kept.contains("r-old.5"))
        #expect(journal.isTombstoned("r-now.never"))
        #expect(!journal.isTombstoned("r-old.never0"))
        #expect(journal.state.tombstones.names().count <= AgentLimits.keptOperations + 1)
        // A second pass finds nothing to remove.
        try journal.collectGarbage(for: "r-now")
        #expect(Set(journal.state.operations.names()) == kept)
    }
}
