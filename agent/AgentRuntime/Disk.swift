package import AgentProtocol
package import UpgradeDomain

/// Who may use a file of the agent's own.
package enum FileMode: Sendable {
    /// Its owner, for reading and writing.
    case `private`
    /// Its owner, for running it as well.
    case privateProgram
}

/// What the agent's memory is kept on. Each change is durable when its call returns, and whole or absent after whatever
/// happens during it: the journal's guarantees rest on this, and so a simulation of the journal may stand on another
/// disk than the file system.
package protocol Disk: Sendable {
    /// Makes a folder and those above it. One that is there is refused where others than root and the agent's account may write it.
    func makeFolder(_ path: String) throws(Refusal)
    /// The names in a folder; none where it is not there.
    func names(in path: String) -> [String]
    func contains(_ path: String) -> Bool
    func read(_ path: String, limitBytes: Int) throws(Refusal) -> [UInt8]?
    /// Writes pieces of bytes, each from an offset on; what is between them is a hole.
    func replace(_ path: String, _ pieces: [(fromByte: Int64, bytes: [UInt8])], mode: FileMode) throws(Refusal)
    /// False where the file exists; `reserve` is a file whose room is used.
    func writeOnce(_ path: String, _ bytes: [UInt8], reserve: String?) throws(Refusal) -> Bool
    func reserve(_ path: String, bytes: Int) throws(Refusal)
    /// Deletes a file, or a folder with all that is in it.
    func discard(_ path: String)
    /// When a file was last written, in nanoseconds; orders files, and says nothing else.
    func modifiedAt(_ path: String) -> Int64

    // What scripts write themselves.
    /// 0 where there is no such file.
    func byteCount(of path: String) -> Int64
    func slice(of path: String, fromByte: Int64, limitBytes: Int) throws(Refusal) -> [UInt8]
    func digest(of path: String, limitBytes: Int64) -> Digest?
}

extension Disk {
    func replace(_ path: String, _ bytes: [UInt8], mode: FileMode) throws(Refusal) {
        try replace(path, [(fromByte: 0, bytes: bytes)], mode: mode)
    }
}
