package import AgentProtocol
import ContentDigest
import Glibc
import SafeText
import UpgradeDomain

/// The machine-wide folder with the agent's memory: its identity, its driver, and what ran.
///
/// ```
/// identity            random, made once
/// fence.json          owner ledger and highest epoch
/// refusals.log        the last coordinators that were turned away
/// journal.lock        held for each short change of this folder
/// mutation.lock       held by the supervisor of the one running operation
/// last-operation      the operation that was begun last
/// operations/ID/      intent.json, process.json, output, result.json; awaiting.json and decision.json of a change that
///                     its host takes back unless it is confirmed
/// tombstones/ID       an id that may never run
/// heads/RUN           the newest head of the run's chain that came with a capture
/// preserved/RUN/      scripts as they were before the run changed anything
/// files/DIGEST/NAME   files of plans that a coordinator has brought
/// ```
package struct StateFolder: Sendable {
    package let folder: Folder
    package let machine: any HostMachine

    package init(folder: Folder, machine: any HostMachine) {
        self.folder = folder
        self.machine = machine
    }

    /// The folder that the environment names; else the machine's, or for an ordinary user the account's.
    static func ofEnvironment() -> StateFolder {
        let path =
            environmentValue("LOCKFLIGHT_STATE_DIRECTORY")
            ?? (geteuid() == 0
                ? "/var/lib/lockflight-agent"
                : "\(environmentValue("HOME") ?? "")/.local/state/lockflight-agent")
        let host = environmentValue("LOCKFLIGHT_BOOT_ID_FILE").map { LinuxHost(bootIDFile: $0) } ?? LinuxHost()
        return StateFolder(folder: Folder(path: path), machine: host)
    }

    var operations: Folder { folder.subfolder("operations") }
    var tombstones: Folder { folder.subfolder("tombstones") }
    var heads: Folder { folder.subfolder("heads") }
    var files: Folder { folder.subfolder("files") }
    var preserved: Folder { folder.subfolder("preserved") }
    var mutationLockPath: String { folder.path(of: "mutation.lock") }

    /// Runs a short change without interleaving with any other session.
    func exclusively<Result>(_ body: () throws(Refusal) -> Result) throws(Refusal) -> Result {
        try folder.create()
        return try machine.exclusively(folder.path(of: "journal.lock"), body)
    }

    /// The random identity, created at the first call. Call inside ``exclusively(_:)``.
    func identity() throws(Refusal) -> AgentIdentity {
        if let bytes = try folder.read("identity"), bytes.count >= 16 {
            return AgentIdentity(String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self))
        }
        let text = machine.newIdentity()
        try folder.write("identity", Array((text + "\n").utf8))
        return AgentIdentity(text)
    }

    /// Call inside ``exclusively(_:)``, like ``record(_:)``.
    package func fence() throws(Refusal) -> HostFence {
        guard let bytes = try folder.read("fence.json") else { return .unowned }
        do {
            return try LineCodec.decode(HostFence.self, from: bytes, beyondRange: .clamped)
        } catch {
            throw Refusal(
                .internalFailure,
                "\(folder.path(of: "fence.json")) is damaged; nothing may drive this host: \(error.documentWords)")
        }
    }

    func record(_ fence: HostFence) throws(Refusal) { try folder.writeJSON("fence.json", fence) }
}

/// A variable of the agent's environment; nil if unset or empty.
func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

extension StateFolder {
    private static let fileNameBytes = Set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_!".utf8)

    /// A file or folder name with which no ID can lead out of the state folder.
    static func fileName(of text: String) -> String {
        let isSafe =
            !text.isEmpty && text.utf8.count <= 200 && text.utf8.allSatisfy(fileNameBytes.contains)
            && !text.begins(with: ".") && !text.begins(with: "sha256-")
        return isSafe ? text : "sha256-" + Digest.sha256(of: Array(text.utf8)).rawValue.dropFirst("sha256:".count)
    }
}
