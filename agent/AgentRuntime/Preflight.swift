import AgentProtocol
import ContentDigest
import Glibc
import UpgradeDomain

extension HostAgent {
    /// Checks, without changing the host, whether everything that the plan needs is there; keeps the scripts of the
    /// run.
    func preflight(_ request: PreflightRequest, session: Session) throws(Refusal) -> PreflightReply {
        let settings = request.commands.map { CommandSetting($0, hostDirectory: request.workingDirectory) }
        var missing: [String] = []
        var exposed = ExposedPaths()
        for (command, setting) in zip(request.commands, settings) {
            missing += Executability.hindrances(to: command, setting)
            for file in [setting.executable, setting.script] { file.map { exposed.look(at: $0) } }
        }
        if let run = request.run, !request.preserve.isEmpty || request.keeps != nil {
            _ = try session.driver()
            let kept = KeptFiles(state: state, run: run)
            missing += try state.exclusively { () throws(Refusal) -> [String] in
                let hasBegun = try journal.hasBegun(run)
                if request.continues != true, !hasBegun { kept.startAgain() }
                return try kept.keep(request.keeps ?? [], in: request.workingDirectory)
            }
            for path in request.preserve {
                let command = request.commands.firstIndex { $0.scriptPath == path }
                let file = command.map { settings[$0].script } ?? absolutePath(path, in: request.workingDirectory)
                if let hindrance = Executability.hindrance(toReading: file) {
                    missing.append("\(path) (\(hindrance))")
                    continue
                }
                try state.exclusively { () throws(Refusal) in try kept.keep(file: file) }
            }
        } else if let keeps = request.keeps {
            missing += KeptFiles.problems(keeping: keeps, in: request.workingDirectory, state)
        }
        var named: Set<String> = []
        return PreflightReply(
            missingScripts: missing.filter { named.insert($0).inserted },
            missingPaths: request.requires.map(\.path).filter {
                access(absolutePath($0, in: request.workingDirectory), F_OK) != 0
            }, differingPaths: request.requires.compactMap { difference(in: $0, request.workingDirectory) },
            freeDiskMebibytes: freeMebibytes(near: request.workingDirectory), hostTime: .now,
            exposedPaths: exposed.found.isEmpty || session.protocolVersion < 2 ? nil : exposed.found)
    }

    /// Why an existing path is not as it should be; nil if it is, or if nothing is required of it.
    private func difference(in artifact: RollbackArtifact, _ directory: String) -> String? {
        let path = absolutePath(artifact.path, in: directory)
        guard artifact.sha256 != nil || artifact.isManifest, access(path, F_OK) == 0 else { return nil }
        if let wanted = artifact.sha256 {
            guard let found = Digest.ofFile(path) else {
                return "\(artifact.path) can not be read: \(systemErrorText(errno))"
            }
            if found != wanted { return "\(artifact.path) is \(found.short), not \(wanted.short)" }
        }
        guard artifact.isManifest else { return nil }
        do {
            let item = try ReleaseManifest(path: path).files(isWanted: { true })
            return item.health == .healthy ? nil : "\(artifact.path): \(item.value)"
        } catch {
            return "\(artifact.path): \(error.detail)"
        }
    }

    /// The free space for an ordinary user; 0 for a folder that does not exist.
    private func freeMebibytes(near workingDirectory: String) -> Int64 {
        [workingDirectory, state.folder.path].map { path in
            var status = statvfs()
            guard statvfs(path, &status) == 0 else { return 0 }
            // A file system may report any number of blocks.
            let mebibytes = Double(status.f_bavail) * Double(status.f_frsize) / 1_048_576
            return Int64(min(mebibytes, Double(CanonicalJSON.largestInteger)))
        }.min() ?? 0
    }
}
