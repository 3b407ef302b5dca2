import AgentProtocol
import ContentDigest
import Foundation
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// Files of a plan that a coordinator brings, so that what judges does not lie in the checkout.
@Suite struct CarriedFileTests {
    private func file(_ name: String, _ text: String) -> CarriedFile {
        CarriedFile(name: name, sha256: Digest.sha256(of: Array(text.utf8)), text: text)
    }

    private func carry(_ files: [CarriedFile]) -> AgentRequest {
        .carry(
            CarryRequest(
                files: files.map { .init(name: $0.name, sha256: $0.sha256, body: Bytes(Array($0.text.utf8))) }))
    }

    private func command(_ arguments: [String]) -> ScriptCommand {
        ScriptCommand(arguments: arguments, timeoutSeconds: 10)
    }

    private func refusal(of request: AgentRequest, by session: AgentUnderTest) throws -> Refusal {
        guard case .refused(let refusal) = try session.ask(request) else { throw Surprise("not refused") }
        return refusal
    }

    /// In a surface, a guardrail, and through its own interpreter.
    @Test func commandsRunTheFileThatCameWithThePlan() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        let check = file("check.sh", "#!/bin/sh\necho \"judged $1\"\n")
        guard case .carried = try session.ask(carry([check])) else { throw Surprise("not carried") }
        let replies = try session.capture(
            [
                SurfaceRequest(name: "one", source: .command(command(["sh", check.mark, "here"]))),
                SurfaceRequest(name: "two", source: .command(command([check.mark, "alone"]))),
            ], in: host.folder.path)
        #expect(
            replies.map { String(decoding: $0.body.elements, as: UTF8.self) } == ["judged here\n", "judged alone\n"])
        #expect(replies.map(\.instrumentDigest) == [check.sha256, check.sha256])
        let run = try session.run(host.start("op", "echo changed", guardrails: [command([check.mark, "before"])]))
        #expect(run.record.outcome == .exited(code: 0), "\(run)")
        let refusing = file("refuse.sh", "#!/bin/sh\nexit 3\n")
        guard case .carried = try session.ask(carry([refusing])) else { throw Surprise("not carried") }
        let refused = try session.run(host.start("op-2", "echo changed", guardrails: [command([refusing.mark])]))
        guard case .guardrailRefused(_, let code) = refused.record.outcome else { throw Surprise("\(refused)") }
        #expect(code == 3)
    }

    /// Another session, such as the one after a lost connection, finds it there.
    @Test func whatWasCarriedStaysForLaterSessionsAndTwoVersionsStandBesideEachOther() throws {
        let host = try HostUnderTest()
        let (old, new) = (file("check.sh", "#!/bin/sh\necho old\n"), file("check.sh", "#!/bin/sh\necho new\n"))
        for version in [old, new, old] {
            guard case .carried = try host.session().ask(carry([version])) else { throw Surprise("not carried") }
        }
        let replies = try host.session(epoch: nil).capture(
            [old, new].map { SurfaceRequest(name: "check", source: .command(command([$0.mark]))) },
            in: host.folder.path)
        #expect(replies.map { String(decoding: $0.body.elements, as: UTF8.self) } == ["old\n", "new\n"])
    }

    @Test func aFileThatWasNotBroughtIsMissingBeforeAnythingRuns() throws {
        let host = try HostUnderTest()
        let absent = file("check.sh", "#!/bin/sh\n")
        let request = PreflightRequest(
            run: "r-1", workingDirectory: host.folder.path, commands: [command(["sh", absent.mark])], requires: [],
            preserve: [])
        guard case .preflight(let reply) = try host.session().ask(.preflight(request)) else { throw Surprise("none") }
        #expect(reply.missingScripts.count == 1)
        #expect(reply.missingScripts.first?.hasSuffix("/check.sh (not there)") == true, "\(reply.missingScripts)")
    }

    @Test func whatIsNotTheFileOfItsDigestIsRefused() throws {
        let host = try HostUnderTest()
        var wrong = file("check.sh", "#!/bin/sh\n")
        wrong.text += "rm -rf /\n"
        let session = try host.session()
        #expect(try refusal(of: carry([wrong]), by: session).code == .malformed)
        #expect(!FileManager.default.fileExists(atPath: host.state.appending(path: "files").path))
    }

    @Test(arguments: ["../../identity", "a/b", "", ".hidden", "sh -c"])
    func aNameThatLeadsElsewhereIsRefused(_ name: String) throws {
        let host = try HostUnderTest()
        #expect(try refusal(of: carry([file(name, "x")]), by: host.session()).code == .malformed)
    }

    @Test(arguments: ["", "sha256:", "sha256:../../../etc", "md5:" + String(repeating: "a", count: 64)])
    func aDigestThatIsNoneIsRefused(_ digest: String) throws {
        let host = try HostUnderTest()
        let odd = CarriedFile(name: "a", sha256: Digest(digest), text: "x")
        #expect(try refusal(of: carry([odd]), by: host.session()).code == .malformed)
    }

    @Test func moreThanAPlanMayCarryIsRefused() throws {
        let host = try HostUnderTest()
        let large = file("large", String(repeating: "x", count: ProtocolLimits.carriedBytes))
        let session = try host.session()
        guard case .carried = try session.ask(carry([large])) else { throw Surprise("not carried") }
        #expect(try refusal(of: carry([large, file("more", "x")]), by: session).code == .limitExceeded)
    }

    @Test func theOldestFilesOfOtherPlansAreDeleted() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        let count = AgentLimits.keptCarriedFiles + 3
        for number in 1...count {
            guard case .carried = try session.ask(carry([file("check.sh", "# \(number)\n")])) else {
                throw Surprise("not carried")
            }
        }
        let kept = try FileManager.default.contentsOfDirectory(atPath: host.state.appending(path: "files").path)
        #expect(kept.count == AgentLimits.keptCarriedFiles)
        #expect(kept.contains(String(file("check.sh", "# \(count)\n").sha256.rawValue.dropFirst(7))))
    }
}
