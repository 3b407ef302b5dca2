import AgentProtocol
import Foundation
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// Tests how the agent looks at containers, with engines that answer as Docker 20.10 and Podman 4.3 do.
struct ContainerCaptureTests {
    private func take(
        _ engine: ContainerReference.Engine, saying answer: String, errors: String = "", exit code: Int = 0
    ) throws -> SurfaceReply {
        let host = try HostUnderTest()
        try host.write("answer", answer)
        try host.write("errors", errors)
        let folder = host.folder.path
        try host.tool(
            engine.rawValue,
            "echo \"$@\" > \(folder)/asked; cat \(folder)/answer; cat \(folder)/errors >&2; exit \(code)")
        let container = ContainerReference(engine: engine, name: "api")
        let reply = try host.take(
            .container(ContainerSource(container, timeoutSeconds: 10)), path: host.tools + ":/usr/bin:/bin")
        #expect(host.lines(of: "asked") == ["container inspect api"])
        return reply
    }

    @Test func aContainerIsItsStateItsImageAndItsRestarts() throws {
        let docker = try KindDocument(
            try take(
                .docker,
                saying:
                    #"[{"Id":"5e1f","State":{"Status":"running","Pid":4804,"Health":{"Status":"healthy"}},"Image":"sha256:bd59","RestartCount":2,"Config":{"Image":"registry:5000/stack/api:1.5.0"}}]"#
            ))
        #expect(
            docker.items == [
                EvidenceItem(key: "state", value: "running, healthy", health: .healthy),
                EvidenceItem(key: "image", value: "sha256:bd59", health: .healthy),
            ])
        #expect(docker.restarts == 2 && docker.tag == "1.5.0")
        let podman = try KindDocument(
            try take(
                .podman,
                saying:
                    #"[{"Id":"d4d1","State":{"Status":"exited","Pid":0},"Image":"8bbf","RestartCount":0,"Config":{"Image":"localhost/api@sha256:9750"}}]"#
            ))
        #expect(podman["state"] == EvidenceItem(key: "state", value: "exited", health: .unhealthy))
        #expect(podman["image"]?.value == "sha256:8bbf" && podman.restarts == 0 && podman.tag == nil)
    }

    @Test func aContainerThatIsNotThereIsUnknownInTheEnginesWords() throws {
        let reply = try take(.docker, saying: "[]\n", errors: "Error response: No such container: api\n", exit: 1)
        #expect(
            reply.failure == UnknownReason(.notRun, "docker exited 1: Error response: No such container: api"))
        let host = try HostUnderTest()
        let container = ContainerReference(engine: .podman, name: "api")
        let missing = try host.take(
            .container(ContainerSource(container, timeoutSeconds: 10)), path: host.tools)
        #expect(missing.failure == UnknownReason(.notRun, "podman is not in PATH on the host"))
    }
}
