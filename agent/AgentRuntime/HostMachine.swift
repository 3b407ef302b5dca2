package import AgentProtocol
package import UpgradeDomain

/// What the agent needs from its machine, apart from the disk: clocks, boots, locks and processes.
///
/// ``LinuxHost`` is the real machine. A simulation can replace it to crash, reboot and set clocks.
package protocol HostMachine: Sendable {
    /// For display and signatures; it may jump.
    var wallTime: WallTime { get }
    /// Time since this boot, which does not jump.
    var bootTime: BootTime { get }
    /// The ID of this boot; empty if it is not known.
    var bootID: String { get }

    /// A random word for an agent's identity.
    func newIdentity() -> String

    /// Runs a short change without interleaving with any other process of the machine.
    func exclusively<Result>(
        _ lockPath: String, _ body: () throws(Refusal) -> Result
    ) throws(Refusal) -> Result

    /// Whether a supervisor is alive: it holds this lock for as long as it lives.
    func supervisorLives(_ lockPath: String) throws(Refusal) -> Bool

    /// Takes the supervisors' lock, prepares, and starts a supervisor that inherits the lock.
    ///
    /// - Parameters:
    ///   - folder: the operation's folder, which `prepare` creates.
    ///   - waitsForLeaving: the supervisor that holds the lock is about to exit, so a short wait is worthwhile.
    func startSupervisor(
        of folder: Folder, in state: Folder, lockPath: String, waitsForLeaving: Bool,
        prepare: () throws(Refusal) -> Void
    ) throws(Refusal) -> SupervisorStart

    /// Whether this exact process, not a later one with the same pid, is still running.
    func isAlive(_ process: ProcessIdentity) -> Bool
    /// Whether a process group has a member that has not ended.
    func hasLivingMember(groupOf leader: ProcessIdentity) -> Bool
}

/// The result of an attempt to start a supervisor.
package enum SupervisorStart: Hashable, Sendable {
    /// Another supervisor holds the lock; nothing was prepared.
    case busy
    case started(pid: Int32)
    /// Prepared, but no process could be created.
    case failed(String)
}
