import AgentProtocol
import RolloutEngine
import UpgradeDomain

extension AgentSession {
    /// What is not on the host as the release manifests say, in words; empty if everything is.
    ///
    /// A manifest has more files than a request may name, so it is asked in parts. They are preflights without a run, which
    /// keep nothing, so an agent of any protocol answers them.
    func releaseDifferences(_ needs: PreflightNeeds) async throws(ContactFailure) -> [String] {
        var differences: [String] = []
        for part in ReleasePart.parts(of: needs.release) {
            let request = PreflightRequest(
                run: nil, workingDirectory: needs.workingDirectory, commands: [], requires: part, preserve: [])
            let reply = try await single(.preflight(request), timeout: HostWork.preflightTimeout(part))
            guard case .preflight(let found) = reply else { throw unexpected(reply, to: "preflight") }
            differences += AgentSession.releaseDifferences(found)
        }
        return differences
    }

    static func releaseDifferences(_ found: PreflightReply) -> [String] {
        found.missingPaths.map { "\($0) is not there" } + found.differingPaths
    }
}

/// How the files of a release are divided among requests.
enum ReleasePart {
    /// The most bytes of paths in one request. A path is repeated in the answer with its two digests, and each of its bytes
    /// may be escaped: both stay below ``ProtocolLimits/lineBytes``.
    static let pathBytes = 262_144

    static func parts(of files: [RollbackArtifact]) -> [[RollbackArtifact]] {
        var parts: [[RollbackArtifact]] = []
        var bytes = 0
        for file in files {
            let own = file.path.utf8.count
            let fits = (parts.last?.count ?? 0) < ProtocolLimits.listEntries && bytes + own <= pathBytes
            if let last = parts.indices.last, fits {
                parts[last].append(file)
                bytes += own
            } else {
                parts.append([file])
                bytes = own
            }
        }
        return parts
    }
}
