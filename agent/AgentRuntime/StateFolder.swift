import AgentProtocol
import Glibc
import UpgradeDomain

/// The machine-wide folder in which the agent remembers: who it is, who drives it, and what ran.
///
/// ```
/// identity            random, made once
/// fence.json          owner ledger and highest epoch
/// journal.lock        held for each short change of this folder
/// mutation.lock       held by the supervisor of the one running operation
/// last-operation      the operation that was begun last
/// operations/ID/      intent.json, process.json, output, result.json; awaiting.json and decision.json of a change that
///                     its host takes back unless it is confirmed
/// tombstones/ID       an id that may never run
/// preserved/RUN/      scripts as they were before the run changed anything
/// ```
struct StateFolder: Sendable {
    let folder: Folder
    /// Where the kernel says which boot this is; another file in tests.
    let bootIDFile: String

    init(path: String, bootIDFile: String = "/proc/sys/kernel/random/boot_id") {
        folder = Folder(path: path)
        self.bootIDFile = bootIDFile
    }

    /// The folder that the environment names, or the machine's, or for an ordinary user the account's.
    static func ofEnvironment() -> StateFolder {
        let bootIDFile = environmentValue("LOCKFLIGHT_BOOT_ID_FILE") ?? "/proc/sys/kernel/random/boot_id"
        let path =
            environmentValue("LOCKFLIGHT_STATE_DIRECTORY")
            ?? (geteuid() == 0
                ? "/var/lib/lockflight-agent"
                : "\(environmentValue("HOME") ?? "")/.local/state/lockflight-agent")
        return StateFolder(path: path, bootIDFile: bootIDFile)
    }

    var operations: Folder { folder.subfolder("operations") }
    var tombstones: Folder { folder.subfolder("tombstones") }
    var preserved: Folder { folder.subfolder("preserved") }
    var mutationLockPath: String { folder.path(of: "mutation.lock") }

    /// Runs a short change that no other session may interleave with.
    func exclusively<Result>(_ body: () throws(Refusal) -> Result) throws(Refusal) -> Result {
        try folder.create()
        let lock = try FileLock(
            path: folder.path(of: "journal.lock"), until: Deadline(after: AgentLimits.journalLockWait))
        guard let lock else {
            throw Refusal(.internalFailure, "another session has held \(folder.path) for too long; nothing was done")
        }
        let result = try body()
        _ = consume lock
        return result
    }

    /// The random identity, made at the first call. Call inside ``exclusively(_:)``.
    func identity() throws(Refusal) -> AgentIdentity {
        if let bytes = try folder.read("identity"), bytes.count >= 16 {
            return AgentIdentity(String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self))
        }
        var random = SystemRandomNumberGenerator()
        let text = "agent-" + hexadecimal((0..<16).map { _ in UInt8.random(in: 0...255, using: &random) })
        try folder.write("identity", Array((text + "\n").utf8))
        return AgentIdentity(text)
    }

    /// Call inside ``exclusively(_:)``, as for ``record(_:)``.
    func fence() throws(Refusal) -> HostFence {
        guard let bytes = try folder.read("fence.json") else { return .unowned }
        do {
            return try LineCodec.decode(HostFence.self, from: bytes)
        } catch {
            throw Refusal(
                .internalFailure, "\(folder.path(of: "fence.json")) is damaged; nothing may drive this host: \(error)")
        }
    }

    func record(_ fence: HostFence) throws(Refusal) { try folder.writeJSON("fence.json", fence) }

    /// Which boot this is; empty when the kernel does not say.
    func bootID() -> String {
        let file = Folder(path: bootIDFile)
        guard let name = bootIDFile.split(separator: "/").last,
            let bytes = try? file.parent.read(String(name), limitBytes: 4_096)
        else { return "" }
        return String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
    }
}

extension Folder {
    /// Replaces a file durably with a value as JSON.
    func writeJSON(_ name: String, _ value: some Encodable) throws(Refusal) { try write(name, Folder.json(value)) }

    static func json(_ value: some Encodable) throws(Refusal) -> [UInt8] {
        do {
            return try LineCodec.encode(value)
        } catch {
            throw Refusal(.internalFailure, "a value can not be written: \(error)")
        }
    }

    /// A file's value; nil when there is no such file or it does not hold one.
    func value<Value: Decodable>(_ type: Value.Type, of name: String) throws(Refusal) -> Value? {
        guard let bytes = try read(name) else { return nil }
        return try? LineCodec.decode(type, from: bytes)
    }
}

/// A variable of the agent's environment; nil when unset or empty.
func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
