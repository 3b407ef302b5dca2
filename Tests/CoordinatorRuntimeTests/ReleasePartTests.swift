import AgentProtocol
import Testing
import UpgradeDomain

@testable import CoordinatorRuntime

/// A release manifest is asked about in requests that every agent takes.
struct ReleasePartTests {
    private func files(_ count: Int, _ path: (Int) -> String) -> [RollbackArtifact] {
        let digest = Digest("sha256:" + String(repeating: "a", count: 64))
        return (0..<count).map { RollbackArtifact(path: path($0), sha256: digest) }
    }

    /// As many files as a manifest may list, and paths that are as long as they may be and twice as long when escaped.
    @Test func aManifestAtItsBoundsFitsTheRequestsAndTheirAnswers() throws {
        let long = String(repeating: "\"", count: ReleaseManifest.pathBytes - 4)
        let manifests = [
            files(ReleaseManifest.mostFiles) { "releases/1.5.0/lib/module-\($0).so" },
            files(ReleaseManifest.totalBytes / ReleaseManifest.pathBytes) { "\(long)\($0)" }, files(1) { _ in "x" }, [],
        ]
        for all in manifests {
            let parts = ReleasePart.parts(of: all)
            #expect(parts.flatMap(\.self) == all)
            for (index, part) in parts.enumerated() {
                #expect((1...ProtocolLimits.listEntries).contains(part.count))
                let request = PreflightRequest(
                    run: nil, workingDirectory: "/srv/stack", commands: [], requires: part, preserve: [])
                #expect(AgentRequest.preflight(request).protocolVersion == 1)
                let frame = RequestFrame(id: .max, request: .preflight(request))
                #expect(try LineCodec.encode(frame).count <= ProtocolLimits.lineBytes, "part \(index)")
                let reply = PreflightReply(
                    missingScripts: [], missingPaths: [],
                    differingPaths: part.map { "\($0.path) can not be read: \(String(repeating: "x", count: 60))" },
                    freeDiskMebibytes: 1, hostTime: WallTime(clamping: 0))
                #expect(
                    try LineCodec.encode(ReplyFrame(re: .max, reply: .preflight(reply))).count
                        <= ProtocolLimits.lineBytes)
            }
        }
        #expect(ReleasePart.parts(of: manifests[0]).count == 16)
    }
}
