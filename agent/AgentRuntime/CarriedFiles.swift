import AgentProtocol
import ContentDigest
import SafeText
import UpgradeDomain

/// The plan's files that a coordinator has sent, by digest: `files/DIGEST/NAME` in the state folder.
struct CarriedFiles: Sendable {
    private let folder: Folder

    init(state: StateFolder) { folder = state.files }

    /// Stores files, unless they are there. Call inside `StateFolder.exclusively`.
    ///
    /// Any session may bring them: they have no effect until a command names them, which only a plan's owner can do.
    func keep(_ files: [CarryRequest.File]) throws(Refusal) {
        for file in files {
            let bytes = file.body.elements
            guard Digest.sha256(of: bytes) == file.sha256 else {
                throw Refusal(.malformed, "the file \(file.name) is not the one with its digest")
            }
            let own = folder.subfolder(file.folderName)
            let known = try? own.read(file.name, limitBytes: ProtocolLimits.carriedBytes)
            // Another name of the same text, and what somebody put in its place, make way for it.
            if known != bytes { own.discard() }
            do throws(Refusal) {
                try own.create()
                // Written again where it is there, so that the folder is as new as its last use.
                try own.write(file.name, bytes, mode: .privateProgram)
            } catch {
                guard known == bytes else { throw error }
            }
        }
        let wanted = Set(files.map(\.folderName))
        for name in folder.oldest(beyond: AgentLimits.keptCarriedFiles, dated: { folder.path(of: $0) })
        where !wanted.contains(name) {
            folder.subfolder(name).discard()
        }
    }

    /// A request whose commands name carried files by their paths on this host.
    func resolving(_ request: AgentRequest) -> AgentRequest {
        switch request {
        case .preflight(var preflight):
            preflight.commands = preflight.commands.map(resolved)
            preflight.keeps = preflight.keeps?.map {
                KeepOrder(command: resolved($0.command), paths: $0.paths, scriptWillDo: $0.scriptWillDo)
            }
            return .preflight(preflight)
        case .capture(var capture):
            for index in capture.surfaces.indices {
                guard case .command(let command) = capture.surfaces[index].source else { continue }
                capture.surfaces[index].source = .command(resolved(command))
            }
            return .capture(capture)
        case .start(var start):
            start.guardrails = start.guardrails.map(resolved)
            start.command = resolved(start.command)
            if let revert = start.revert {
                start.revert = RevertScript(
                    guardrails: revert.guardrails.map(resolved), command: resolved(revert.command))
            }
            return .start(start)
        case .hello, .carry, .attach, .settle, .confirm, .journal: return request
        }
    }

    private func resolved(_ command: ScriptCommand) -> ScriptCommand {
        command.mapTexts { text in
            guard text.holds(CarriedFile.folderMark) else { return text }
            return text.replacing(CarriedFile.folderMark, with: folder.path + "/")
        }
    }
}

extension CarryRequest.File {
    fileprivate var folderName: String { String(sha256.rawValue.dropFirst("sha256:".count)) }
}
