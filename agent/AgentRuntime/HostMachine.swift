package import AgentProtocol
package import UpgradeDomain

/// What the agent needs of the machine that it runs on, apart from its disk: clocks, boots, locks and processes.
///
/// ``LinuxHost`` is the machine. A simulation stands in its place to crash, reboot and set clocks.
package protocol HostMachine: Sendable {
    /// For display and signatures; it may jump.
    var wallTime: WallTime { get }
    /// Time since this boot, which does not jump.
    var bootTime: BootTime { get }
    /// Which boot this is; empty when that is not known.
    var bootID: String { get }

    /// A random word for an agent's identity.
    func newIdentity() -> String

    /// Runs a short change that no other process of the machine interleaves with.
    func exclusively<Result>(
        _ lockPath: String, _ body: () throws(Refusal) -> Result
    ) throws(Refusal) -> Result

    /// Whether a supervisor lives: it holds this lock for as long as it does.
    func supervisorLives(_ lockPath: String) throws(Refusal) -> Bool

    /// Takes the supervisors' lock, prepares, and starts a supervisor that has inherited the lock.
    ///
    /// - Parameters:
    ///   - folder: the operation's folder, which `prepare` makes.
    ///   - waitsForLeaving: the supervisor that holds the lock is about to leave, so a moment's wait is worth it.
    func startSupervisor(
        of folder: Folder, in state: Folder, lockPath: String, waitsForLeaving: Bool,
        prepare: () throws(Refusal) -> Void
    ) throws(Refusal) -> SupervisorStart

    /// Whether this very process, and not a later one of its number, has not ended.
    func isAlive(_ process: ProcessIdentity) -> Bool
    /// Whether a process group has a member that has not ended.
    func hasLivingMember(groupOf leader: ProcessIdentity) -> Bool
}

/// What became of an attempt to start a supervisor.
package enum SupervisorStart: Hashable, Sendable {
    /// Another one holds the lock; nothing was prepared.
    case busy
    case started(pid: Int32)
    /// Prepared, but no process could be made.
    case failed(String)
}
