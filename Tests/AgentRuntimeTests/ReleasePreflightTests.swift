import AgentProtocol
import ContentDigest
import Foundation
import Testing
import UpgradeDomain

@testable import CoordinatorRuntime

/// A host is compared with the release manifest by a real agent.
@Suite struct ReleasePreflightTests {
    @Test func eachFileThatIsMissingOrDiffersIsNamedAtTheMostFiles() throws {
        let host = try HostUnderTest()
        let folder = host.folder.appending(path: "lib")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        var files: [String: Digest] = [:]
        for index in 0..<ReleaseManifest.mostFiles {
            let body = Data("module \(index)\n".utf8)
            try body.write(to: folder.appending(path: "\(index)"))
            files["lib/\(index)"] = Digest.sha256(of: Array(body))
        }
        let manifest = try ReleaseManifest(reading: ReleaseManifest(files: files).text)
        let session = try host.session(epoch: nil)
        func differences() throws -> [String] {
            let all = manifest.paths.map { RollbackArtifact(path: $0, sha256: manifest.files[$0]) }
            return try ReleasePart.parts(of: all).flatMap { part in
                let request = PreflightRequest(
                    run: nil, workingDirectory: host.folder.path, commands: [], requires: part, preserve: [])
                guard case .preflight(let found) = try session.ask(.preflight(request)) else {
                    throw Surprise("no preflight")
                }
                return AgentSession.releaseDifferences(found)
            }
        }
        #expect(try differences() == [])
        try FileManager.default.removeItem(at: folder.appending(path: "7"))
        let changed = Data("other\n".utf8)
        try changed.write(to: folder.appending(path: "4095"))
        let wanted = try #require(files["lib/4095"])
        #expect(
            Set(try differences()) == [
                "lib/7 is not there", "lib/4095 is \(Digest.sha256(of: Array(changed)).short), not \(wanted.short)",
            ])
    }
}
