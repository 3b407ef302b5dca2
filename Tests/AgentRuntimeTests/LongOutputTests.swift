import AgentProtocol
import ContentDigest
import Foundation
import Glibc
import TestSupport
import Testing
import UpgradeDomain

/// If an output is too long, its beginning and its end are kept: the error is usually at the end.
struct LongOutputTests {
    private static let headBytes = 1_048_576
    private static let kept = Int(ProtocolLimits.operationOutputBytes)

    /// Prints numbered lines and then the outcome; the test keeps a copy.
    private static let script =
        "seq 1000000 3400000 | tee whole; echo 'FATAL: migration 42 failed' | tee -a whole >&2; exit 3"

    private func written(_ host: HostUnderTest) throws -> [UInt8] {
        Array(try Data(contentsOf: host.folder.appending(path: "whole")))
    }

    private func file(_ host: HostUnderTest) -> String { host.state.appending(path: "operations/op/output").path }

    private func roomOnDisk(_ host: HostUnderTest) throws -> Int {
        var status = stat()
        guard stat(file(host), &status) == 0 else { throw Surprise("no output file") }
        return Int(status.st_blocks) * 512
    }

    @Test func theBeginningAndTheEndAreKeptWhereTheyStood() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        try session.begin(host.start("op", LongOutputTests.script))
        _ = try session.followPieces(of: "op", fromByte: 1 << 40)
        let written = try written(host)
        let (record, pieces) = try session.followPieces(of: "op")
        #expect(record.outcome == .exited(code: 3))
        #expect(record.outputBytes == Int64(written.count))
        #expect(record.outputTail.hasSuffix("FATAL: migration 42 failed\n"))
        try #require(pieces.count == 2)
        #expect(pieces[0].fromByte == 0)
        #expect(pieces[0].bytes == Array(written[..<LongOutputTests.headBytes]))
        let end = LongOutputTests.kept - LongOutputTests.headBytes
        #expect(Int(pieces[1].fromByte) == written.count - end)
        #expect(pieces[1].bytes == Array(written[(written.count - end)...]))
        #expect(record.outputDigest == Digest.sha256(of: pieces[0].bytes + pieces[1].bytes))
        #expect(try roomOnDisk(host) < LongOutputTests.kept + 1_048_576)
        // Reading from inside the gap continues after it.
        let behind = try session.followPieces(of: "op", fromByte: 2_000_000).pieces
        #expect(behind.map(\.fromByte) == [pieces[1].fromByte])
    }

    @Test func aFollowerIsSentOnlyWhatWasWritten() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        try session.begin(host.start("op", LongOutputTests.script))
        let (_, pieces) = try session.followPieces(of: "op")
        let written = try written(host)
        for piece in pieces {
            let range = Int(piece.fromByte)..<Int(piece.fromByte) + piece.bytes.count
            #expect(piece.bytes == Array(written[range]), "\(range)")
        }
        #expect(pieces.reduce(0) { $0 + $1.bytes.count } <= 2 * LongOutputTests.kept)
        #expect(pieces.last.map { Int($0.fromByte) + $0.bytes.count } == written.count)
    }

    @Test func aCoordinatorThatKnowsNoGapsIsSentTheBeginning() throws {
        let host = try HostUnderTest()
        let session = try host.session(hello: false)
        _ = try session.ask(.hello(HelloRequest(protocols: [2, 1], ledger: "ledger-a", epoch: 1)))
        try session.begin(host.start("op", LongOutputTests.script))
        let (record, pieces) = try session.followPieces(of: "op")
        #expect(record.outputTail.hasSuffix("FATAL: migration 42 failed\n"))
        try #require(pieces.count == 1)
        #expect(pieces[0].fromByte == 0)
        #expect((LongOutputTests.headBytes...LongOutputTests.kept).contains(pieces[0].bytes.count))
        let again = try session.followPieces(of: "op").pieces
        #expect(again.map(\.bytes.count) == [LongOutputTests.headBytes])
    }

    /// A secret crosses the edges of the gap, wherever they fall.
    @Test func secretsAreMaskedOnBothSidesOfTheGap() throws {
        let host = try HostUnderTest()
        let secret = "hunter2-is-no-secret"
        try host.write("token", secret + "\n")
        let session = try host.session()
        let secrets = "yes '\(secret)' | head -c 3000000"
        let script = "\(secrets); yes xxxxxxx | head -c 15000000; \(secrets) | head -n 100; echo 'FATAL'; exit 3"
        try session.begin(
            host.start(
                "op", ScriptCommand(arguments: ["sh", "-c", script], timeoutSeconds: 60),
                secretFiles: [host.folder.path + "/token"]))
        let (record, pieces) = try session.followPieces(of: "op")
        #expect(record.outputTail.hasSuffix("***\nFATAL\n"))
        try #require(pieces.count == 2)
        for piece in pieces {
            #expect(!String(decoding: piece.bytes, as: UTF8.self).contains("hunter2"))
            #expect(!piece.bytes.contains(0))
        }
        let kept = try Data(contentsOf: URL(fileURLWithPath: file(host)))
        for part in [secret, String(secret.prefix(6)), String(secret.suffix(6))] {
            #expect(kept.range(of: Data(part.utf8)) == nil, "\(part)")
        }
    }

    @Test func theOutputThatAKilledSupervisorLeftIsReadTheSameWay() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        let script = LongOutputTests.script.replacingOccurrences(of: "; exit 3", with: "; touch written; sleep 60")
        try session.begin(host.start("op", script, timeoutSeconds: 60))
        try blockUntil("the script has written, and the middle is dropped") {
            [host.folder.appending(path: "written").path, file(host) + ".gap"].allSatisfy {
                FileManager.default.fileExists(atPath: $0)
            }
        }
        let supervisor = try #require(try host.supervisorPID(of: "op"))
        kill(supervisor, SIGKILL)
        // What comes before the gap, what comes after it, and the end.
        let attached = try session.send(.attach(AttachRequest(operation: "op", fromByte: 1_048_000)))
        let written = try written(host)
        for isBehind in [false, true] {
            guard case .output(let slice) = try session.reply(to: attached) else { throw Surprise("no output") }
            #expect((slice.droppedBytes != nil) == isBehind)
            let range = Int(slice.fromByte)..<Int(slice.fromByte) + slice.bytes.elements.count
            #expect(slice.bytes.elements == Array(written[range]), "\(range)")
        }
        let record = try host.session(epoch: 2).followPieces(of: "op", fromByte: 1 << 40).record
        guard case .interrupted = record.outcome else { throw Surprise("\(record.outcome)") }
        #expect(String(decoding: written, as: UTF8.self).contains(record.outputTail))
    }

    /// A ramfs does not support sparse files.
    @Test(.enabled(if: geteuid() == 0)) func withoutSparseFilesTheEndIsCutOffAndReported() throws {
        let disk = FileManager.default.temporaryDirectory.appending(path: "lockflight-ramfs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
        defer {
            umount2(disk.path, Int32(MNT_DETACH))
            try? FileManager.default.removeItem(at: disk)
        }
        guard mount("ramfs", disk.path, "ramfs", 0, nil) == 0 else { return }
        let host = try HostUnderTest(state: disk.appending(path: "state"))
        let session = try host.session()
        try session.begin(host.start("op", LongOutputTests.script))
        let (record, output) = try session.follow("op", fromByte: Int64(LongOutputTests.kept - 200))
        let written = try written(host)
        #expect(record.outcome == .exited(code: 3))
        // Output written between two checks of the file is cut without being counted.
        #expect((Int64(LongOutputTests.kept) + 1...Int64(written.count) + 200).contains(record.outputBytes))
        #expect(output.utf8.count == 200)
        #expect(
            output.hasSuffix(
                "lockflight: the end of the output was cut off, as its middle could not be dropped on this file system\n"
            ))
        #expect(record.outputTail.contains("the end of the output was cut off"))
    }
}
