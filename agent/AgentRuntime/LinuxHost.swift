package import AgentProtocol
import Glibc
package import UpgradeDomain

/// The machine that the agent runs on.
package struct LinuxHost: HostMachine {
    /// The file with the kernel's boot ID; another file in tests.
    let bootIDFile: String

    init(bootIDFile: String = "/proc/sys/kernel/random/boot_id") { self.bootIDFile = bootIDFile }

    package var wallTime: WallTime { .now }
    package var bootTime: BootTime { .now }

    package var bootID: String {
        let file = Folder(path: bootIDFile)
        guard let bytes = try? file.parent.read(file.name, limitBytes: 4_096) else { return "" }
        return String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
    }

    package func newIdentity() -> String {
        var random = SystemRandomNumberGenerator()
        return "agent-" + hexadecimal((0..<16).map { _ in UInt8.random(in: 0...255, using: &random) })
    }

    package func exclusively<Result>(
        _ lockPath: String, _ body: () throws(Refusal) -> Result
    ) throws(Refusal) -> Result {
        guard let lock = try FileLock(path: lockPath, until: Deadline(after: AgentLimits.journalLockWait)) else {
            throw Refusal(.internalFailure, "another session has held \(lockPath) for too long; nothing was done")
        }
        let result = try body()
        _ = consume lock
        return result
    }

    package func supervisorLives(_ lockPath: String) throws(Refusal) -> Bool {
        let free = try FileLock(path: lockPath, until: nil)
        switch consume free {
        case .some: return false
        case .none: return true
        }
    }

    package func startSupervisor(
        of folder: Folder, in state: Folder, lockPath: String, waitsForLeaving: Bool,
        prepare: () throws(Refusal) -> Void
    ) throws(Refusal) -> SupervisorStart {
        let deadline = waitsForLeaving ? Deadline(after: AgentLimits.handOverWait) : nil
        guard let lock = try FileLock(path: lockPath, until: deadline) else { return .busy }
        try prepare()
        return launch(folder, state, lock)
    }

    private func launch(_ folder: Folder, _ state: Folder, _ lock: borrowing FileLock) -> SupervisorStart {
        var environment: [String: String] = [:]
        for name in ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LOCKFLIGHT_BOOT_ID_FILE"] {
            environment[name] = environmentValue(name)
        }
        environment["LOCKFLIGHT_STATE_DIRECTORY"] = state.path
        do throws(Refusal) {
            let child = try ChildProcess(
                executable: "/proc/self/exe", arguments: ["lockflight-agent", "supervise", folder.path],
                environment: environment, workingDirectory: "/", output: nil, passed: lock.descriptor, ownSession: true)
            let code = child.release()
            guard code != 0 else { return .started(pid: child.identity.pid) }
            _ = child.wait(atMost: AgentLimits.killGrace)
            return .failed(systemErrorText(code))
        } catch {
            return .failed(error.message)
        }
    }

    package func isAlive(_ process: ProcessIdentity) -> Bool { ProcessTable.isAlive(process) }

    package func hasLivingMember(groupOf leader: ProcessIdentity) -> Bool {
        ProcessTable.hasLivingMember(groupOf: leader)
    }
}
