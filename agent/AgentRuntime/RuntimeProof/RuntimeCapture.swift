import AgentProtocol
import Glibc
import SafeText
import UpgradeDomain

/// Inspects the links of a runtime proof, one item each. A link that cannot be inspected is *unknown*, with the cause.
struct RuntimeCapture {
    private let source: RuntimeSource
    private let workingDirectory: String
    private let isWanted: () -> Bool
    private let deadline: Deadline
    private let tool: HostTool

    init(_ source: RuntimeSource, workingDirectory: String, isWanted: @escaping () -> Bool) {
        self.source = source
        self.workingDirectory = workingDirectory
        self.isWanted = isWanted
        deadline = Deadline(after: .seconds(source.timeoutSeconds))
        tool = HostTool(workingDirectory: workingDirectory, deadline: deadline, isWanted: isWanted)
    }

    static func answer(_ source: RuntimeSource, _ setting: CaptureSetting) -> SurfaceAnswer {
        .document(
            RuntimeCapture(source, workingDirectory: setting.workingDirectory, isWanted: setting.isWanted).items())
    }

    func items() -> [EvidenceItem] {
        var items: [EvidenceItem] = []
        if let checkout = source.checkout { items += checkoutItems(absolutePath(checkout, in: workingDirectory)) }
        var manifest: ReleaseManifest?
        if let path = source.manifest {
            do {
                let found = try ReleaseManifest(path: absolutePath(path, in: workingDirectory))
                manifest = found
                items.append(.holds(.manifest, found.digest.rawValue))
                items.append(found.files(isWanted: { isWanted() && !deadline.hasPassed }))
            } catch {
                items += [.unknown(.manifest, error.detail), .unknown(.files, error.detail)]
            }
        }
        let container = source.container.map(container)
        if let container { items += container.items }
        let unit = source.unit.map { UnitFacts(of: $0, tool) }
        if let unit { items.append(unit.item) }
        guard source.namesProcess else { return items }
        return items + processItems(container, unit, manifest)
    }

    // MARK: The process

    private func processItems(
        _ container: ContainerFacts?, _ unit: UnitFacts?, _ manifest: ReleaseManifest?
    ) -> [EvidenceItem] {
        let process: RunningProcess
        do {
            process = try RunningProcess(pid: try processID(container, unit))
        } catch {
            return source.links.compactMap { link in
                switch link {
                case .process, .mappings, .started, .program, .port: .init(link, error)
                case .commit, .worktree, .manifest, .files, .container, .image, .unit: nil
                }
            }
        }
        var items = [process.item, process.mappings(), process.startedItem]
        if source.links.contains(.program) {
            items.append(manifest.map(process.program) ?? .unknown(.program, "there is no manifest to compare with"))
        }
        return items + source.ports.enumerated().map { process.listens(on: $1, .port($0 + 1)) }
    }

    /// The most specific source decides: the container, the unit, the pid file, then the process that listens.
    private func processID(_ container: ContainerFacts?, _ unit: UnitFacts?) throws(LinkFailure) -> Int32 {
        if let container { return try container.processID() }
        if let unit { return try unit.processID() }
        if let file = source.pidFile {
            let path = absolutePath(file, in: workingDirectory)
            guard let text = SystemFile.text(of: path) else {
                throw LinkFailure(isUnknown: true, "\(path) can not be read: \(systemErrorText(errno))")
            }
            let digits = text.trimmed.utf8.prefix { (0x30...0x39).contains($0) }
            guard let pid = Int32(Substring(digits)), pid > 0 else {
                throw LinkFailure(isUnknown: true, "\(path) holds no process id")
            }
            return pid
        }
        guard let port = ListeningPort(source.ports[0]) else {
            throw LinkFailure(isUnknown: true, "'\(source.ports[0])' is not a port")
        }
        if let pid = port.listener() { return pid }
        throw LinkFailure(isUnknown: false, "no process listens on \(source.ports[0])")
    }

    // MARK: Host tools

    private func checkoutItems(_ path: String) -> [EvidenceItem] {
        // A checkout's own settings may name programs, which would run as the agent's user.
        let git = [
            "git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", path,
        ]
        let head = tool.output(of: git + ["rev-parse", "--verify", "HEAD"])
        let status = tool.output(of: git + ["status", "--porcelain", "--untracked-files=no"])
        var items: [EvidenceItem] = []
        switch head {
        case .success(let text): items.append(.holds(.commit, String(text.prefix(upToAnyOf: " \t\r\n"))))
        case .failure(let failure): items.append(.init(.commit, failure))
        }
        switch status {
        case .success(""): items.append(.holds(.worktree, "no tracked file differs"))
        case .success(let text):
            let lines = text.lines
            let first = Substring(lines[0].utf8.dropFirst(3))
            items.append(.fails(.worktree, "\(lines.count) tracked files differ, first \(first)"))
        case .failure(let failure): items.append(.init(.worktree, failure))
        }
        return items
    }

    private func container(_ reference: ContainerReference) -> ContainerFacts {
        var facts = ContainerFacts(of: reference, tool)
        if let image = facts.imageID {
            facts.addRepositoryDigests(tool.output(of: [reference.engine.rawValue, "image", "inspect", image]))
        }
        return facts
    }
}
