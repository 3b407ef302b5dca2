package import AgentProtocol
package import UpgradeDomain

/// Who may use a file that belongs to the agent.
package enum FileMode: Sendable {
    /// Its owner may read and write it.
    case `private`
    /// Its owner may also run it.
    case privateProgram
}

/// The storage of the agent's memory. Each change is durable when its call returns, and after any crash during the call
/// it is complete or absent. The journal's guarantees depend on this, so a simulation of the journal can use another
/// disk than the file system.
package protocol Disk: Sendable {
    /// Creates a folder with its parents. An existing folder is refused if accounts other than root and the agent's can
    /// write to it.
    func makeFolder(_ path: String) throws(Refusal)
    /// The names in a folder; none if it does not exist.
    func names(in path: String) -> [String]
    func contains(_ path: String) -> Bool
    func read(_ path: String, limitBytes: Int) throws(Refusal) -> [UInt8]?
    /// Writes pieces of bytes, each at an offset; the space between them is a hole.
    func replace(_ path: String, _ pieces: [(fromByte: Int64, bytes: [UInt8])], mode: FileMode) throws(Refusal)
    /// False if the file exists; `reserve` is a file whose room is used.
    func writeOnce(_ path: String, _ bytes: [UInt8], reserve: String?) throws(Refusal) -> Bool
    func reserve(_ path: String, bytes: Int) throws(Refusal)
    /// Deletes a file, or a folder with everything in it.
    func discard(_ path: String)
    /// When a file was last written, in nanoseconds. Only for sorting files.
    func modifiedAt(_ path: String) -> Int64

    // Files that scripts write themselves.
    /// 0 if there is no such file.
    func byteCount(of path: String) -> Int64
    func slice(of path: String, fromByte: Int64, limitBytes: Int) throws(Refusal) -> [UInt8]
    func digest(of path: String, limitBytes: Int64) -> Digest?
}

extension Disk {
    func replace(_ path: String, _ bytes: [UInt8], mode: FileMode) throws(Refusal) {
        try replace(path, [(fromByte: 0, bytes: bytes)], mode: mode)
    }
}
