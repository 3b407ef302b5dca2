import AgentProtocol
import Foundation
import TestSupport
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// The answer of a unit or a container.
struct KindDocument: Decodable {
    var items: [EvidenceItem]
    var restarts: Int?
    var tag: String?

    init(_ reply: SurfaceReply) throws {
        guard reply.failure == nil, reply.resultCode == 0 else { throw Surprise("\(reply)") }
        self = try JSONDecoder().decode(KindDocument.self, from: Data(reply.body.elements))
    }

    subscript(_ key: String) -> EvidenceItem? { items.first { $0.key == key } }
}

/// Tests how the agent looks at systemd units. The real systemd is in `SystemdTests`.
struct UnitCaptureTests {
    private func take(_ name: String, saying answer: String, exit code: Int = 0) throws -> SurfaceReply {
        let host = try HostUnderTest()
        try host.write("answer", answer)
        try host.tool(
            "systemctl",
            "echo \"$@\" > ../asked; cat ../answer; exit \(code)".replacing("../", with: host.folder.path + "/"))
        let reply = try host.take(
            .unit(UnitSource(name: name, timeoutSeconds: 10)), path: host.tools + ":/usr/bin:/bin")
        #expect(host.lines(of: "asked").first?.hasPrefix("show --property=Id,") == true)
        #expect(host.lines(of: "asked").first?.hasSuffix(" \(name)") == true)
        return reply
    }

    private let running = "LoadState=loaded\nActiveState=active\nSubState=running\nNeedDaemonReload=no\n"

    @Test func aServiceIsItsStateAndItsRestarts() throws {
        let found = try KindDocument(try take("api.service", saying: "Id=api.service\n\(running)NRestarts=3\n"))
        #expect(found.items == [EvidenceItem(key: "state", value: "active (running)", health: .healthy)])
        #expect(found.restarts == 3)
        let down = running.replacing("active\n", with: "activating\n").replacing("running", with: "auto-restart")
        let looping = try KindDocument(try take("api", saying: "Id=api.service\n\(down)NRestarts=4\n"))
        #expect(looping["state"] == EvidenceItem(key: "state", value: "activating (auto-restart)", health: .unhealthy))
    }

    @Test func onlyServicesAreStartedAgain() throws {
        #expect(try KindDocument(try take("api.timer", saying: "Id=api.timer\n\(running)")).restarts == 0)
        // Before systemd 235 it does not say.
        #expect(try KindDocument(try take("api.service", saying: "Id=api.service\n\(running)")).restarts == nil)
    }

    @Test func aHostWithoutAnAnswerIsUnknown() throws {
        let failed = try take("api.service", saying: "", exit: 1)
        #expect(failed.failure == UnknownReason(.notRun, "systemctl exited 1"))
        let host = try HostUnderTest()
        let missing = try host.take(.unit(UnitSource(name: "api.service", timeoutSeconds: 10)), path: host.tools)
        #expect(missing.failure == UnknownReason(.notRun, "systemctl is not in PATH on the host"))
    }

    @Test func aNameThatWouldBeAnOptionIsRefused() throws {
        let host = try HostUnderTest()
        let session = try host.session(epoch: nil)
        let source = SurfaceSource.unit(UnitSource(name: "--user", timeoutSeconds: 10))
        let request = CaptureRequest(workingDirectory: "/", surfaces: [SurfaceRequest(name: "s", source: source)])
        #expect(try session.refusal(.capture(request)) == .malformed)
    }

    @Test func anOlderAgentIsNotAskedForIt() {
        let sources: [SurfaceSource] = [
            .unit(UnitSource(name: "api.service", timeoutSeconds: 1)),
            .container(ContainerSource(ContainerReference(engine: .podman, name: "api"), timeoutSeconds: 1)),
        ]
        for source in sources {
            let surfaces = [SurfaceRequest(name: "s", source: source)]
            #expect(
                AgentRequest.capture(CaptureRequest(workingDirectory: "/", surfaces: surfaces)).protocolVersion == 3)
        }
    }
}
