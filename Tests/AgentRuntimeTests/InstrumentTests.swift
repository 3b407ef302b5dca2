import AgentProtocol
import ContentDigest
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// A record names the bytes that were digested, and says if other bytes may have run.
struct InstrumentTests {
    private static func script(_ name: String) -> String { "#!/bin/sh\necho \(name)\n" }

    private func put(_ text: String, at file: URL) throws {
        try Data(text.utf8).write(to: file)
        chmod(file.path, 0o755)
    }

    @Test func anyChangeToAScriptIsNoticed() throws {
        let host = try HostUnderTest()
        let file = host.folder.appending(path: "x.sh")
        let other = host.folder.appending(path: "other.sh")
        let touches: [(String, () throws -> Void)] = [
            ("nothing", {}),
            ("another file renamed to it", { rename(other.path, file.path) }),
            ("its bytes", { try Data("#!/bin/sh\nexit 9\n".utf8).write(to: file) }),
            ("its mode", { chmod(file.path, 0o700) }),
            (
                "a time set back",
                {
                    let handle = try FileHandle(forUpdating: file)
                    try handle.write(contentsOf: Data("#!/bin/zh".utf8))
                    try handle.close()
                    var times = [timeval](repeating: timeval(tv_sec: 1_000, tv_usec: 0), count: 2)
                    utimes(file.path, &times)
                }
            ),
            (
                "there and back",
                {
                    rename(file.path, file.path + ".away")
                    rename(other.path, file.path)
                    rename(file.path + ".away", file.path)
                }
            ),
            ("removed", { unlink(file.path) }),
        ]
        for (what, touch) in touches {
            try put(InstrumentTests.script("one"), at: file)
            try put(InstrumentTests.script("two"), at: other)
            let instrument = Instrument(of: file.path)
            #expect(instrument.digest == Digest.sha256(of: Array(InstrumentTests.script("one").utf8)))
            try touch()
            #expect(instrument.isReplaced == (what != "nothing"), "\(what)")
        }
        #expect(!Instrument(of: host.folder.path + "/nowhere").isReplaced)
        #expect(Instrument(of: host.folder.path + "/nowhere").digest == nil)
    }

    /// Keeps swapping a script for another one and back, as anybody with write access to the folder could.
    private final class Swapper: Sendable {
        private let isWanted = Atomic(true)
        private let hasEnded = DispatchSemaphore(value: 0)
        let names = ["one", "two"]

        init(_ file: URL) {
            for name in names {
                _ = FileManager.default.createFile(
                    atPath: "\(file.path).\(name)", contents: Data(InstrumentTests.script(name).utf8),
                    attributes: [.posixPermissions: 0o755])
            }
            Thread.detachNewThread { [self] in
                var turn = 0
                while isWanted.load(ordering: .relaxed) {
                    link("\(file.path).\(names[turn])", file.path + ".next")
                    rename(file.path + ".next", file.path)
                    turn = 1 - turn
                }
                hasEnded.signal()
            }
        }

        /// The output of the script with that digest.
        func words(_ digest: Digest?) -> String? {
            names.first { Digest.sha256(of: Array(InstrumentTests.script($0).utf8)) == digest }.map { $0 + "\n" }
        }

        func stop() {
            isWanted.store(false, ordering: .relaxed)
            hasEnded.wait()
        }
    }

    @Test func aCheckWhoseScriptIsSwappedMeanwhileIsInconclusive() throws {
        let host = try HostUnderTest()
        let file = host.folder.appending(path: "x.sh")
        try put(InstrumentTests.script("one"), at: file)
        let session = try host.session()
        let surface = SurfaceRequest(
            name: "x", source: .command(ScriptCommand(arguments: ["./x.sh"], timeoutSeconds: 5)))
        #expect(try session.capture([surface], in: host.folder.path)[0].failure == nil)
        let swapper = Swapper(file)
        defer { swapper.stop() }
        var inconclusive = 0
        for _ in 0..<150 {
            let reply = try session.capture([surface], in: host.folder.path)[0]
            if let failure = reply.failure {
                #expect(failure.code == .untrusted || failure.code == .notRun, "\(failure)")
                if failure.detail.contains("was replaced or touched while it ran") { inconclusive += 1 }
            } else {
                #expect(swapper.words(reply.instrumentDigest) == String(decoding: reply.body.elements, as: UTF8.self))
            }
        }
        #expect(inconclusive > 0)
    }

    @Test func aGuardrailWhoseScriptIsSwappedMeanwhileLetsNothingPass() throws {
        let host = try HostUnderTest()
        let file = host.folder.appending(path: "x.sh")
        // The script swaps itself, so what runs next is not what was digested.
        try put("#!/bin/sh\nmv x.sh away; cp away x.sh\n", at: file)
        let guardrail = ScriptCommand(arguments: ["./x.sh"], timeoutSeconds: 5)
        let (record, output) = try host.session().run(
            host.start("op", "echo ran >> counter", guardrails: [guardrail]))
        #expect(record.outcome == .guardrailRefused(guardrail: "./x.sh", code: 127))
        #expect(output.contains("x.sh was replaced or touched while it ran"))
        #expect(host.lines(of: "counter").isEmpty)
    }

    @Test func aStepMayReplaceItselfButASwapAtItsStartIsReported() throws {
        let host = try HostUnderTest()
        let file = host.folder.appending(path: "x.sh")
        try put("#!/bin/sh\nsleep 0.2; mv x.sh away; cp away x.sh\n", at: file)
        let session = try host.session()
        let step = ScriptCommand(arguments: ["./x.sh"], timeoutSeconds: 5)
        let own = try session.run(host.start("own", step)).record
        #expect(own.outcome == .exited(code: 0) && own.scriptReplaced == nil && own.scriptDigest != nil)
        let swapper = Swapper(file)
        defer { swapper.stop() }
        for attempt in 1...300 {
            let (record, output) = try session.run(host.start(OperationID("op\(attempt)"), step))
            guard record.scriptReplaced == true else { continue }
            #expect(output.hasSuffix("the file that ran may differ from the digested one\n"))
            return
        }
        Issue.record("300 starts, and no swap was noticed")
    }
}
