package import AgentProtocol
import ContentDigest
import SafeText

/// A folder of a disk whose files are complete or absent.
package struct Folder: Sendable {
    package let path: String
    let disk: any Disk

    package init(path: String, disk: any Disk = FileSystem()) {
        self.path = path
        self.disk = disk
    }

    package func subfolder(_ name: String) -> Folder { Folder(path: "\(path)/\(name)", disk: disk) }
    package func path(of name: String) -> String { "\(path)/\(name)" }

    var name: String { String(path.cut(atLast: "/")?.after ?? path[...]) }

    var parent: Folder {
        guard let above = path.cut(atLast: "/")?.before else { return Folder(path: ".", disk: disk) }
        return Folder(path: above.isEmpty ? "/" : String(above), disk: disk)
    }

    /// Creates the folder and its parents, readable only by its owner.
    func create() throws(Refusal) { try disk.makeFolder(path) }

    /// The names in the folder, without those that start with a dot; none if there is no folder.
    package func names() -> [String] { disk.names(in: path) }

    package func contains(_ name: String) -> Bool { disk.contains(path(of: name)) }

    /// A file's bytes; nil if there is no such file.
    func read(_ name: String, limitBytes: Int = AgentLimits.stateFileBytes) throws(Refusal) -> [UInt8]? {
        try disk.read(path(of: name), limitBytes: limitBytes)
    }

    /// Replaces a file durably.
    func write(_ name: String, _ bytes: [UInt8], mode: FileMode = .private) throws(Refusal) {
        try disk.replace(path(of: name), bytes, mode: mode)
    }

    /// Writes a file durably unless it exists; false if it does. `reserve` names a file created by
    /// ``reserve(_:bytes:)`` whose room is used.
    func writeOnce(_ name: String, _ bytes: [UInt8], reserve: String? = nil) throws(Refusal) -> Bool {
        try disk.writeOnce(path(of: name), bytes, reserve: reserve.map(path(of:)))
    }

    /// Creates a file that reserves room on disk for later.
    func reserve(_ name: String, bytes: Int) throws(Refusal) { try disk.reserve(path(of: name), bytes: bytes) }

    /// Deletes the folder with its files and subfolders. What cannot be deleted stays.
    func discard() { disk.discard(path) }

    /// Replaces a file durably with a value as JSON.
    package func writeJSON(_ name: String, _ value: some Encodable) throws(Refusal) {
        try write(name, Folder.json(value))
    }

    static func json(_ value: some Encodable) throws(Refusal) -> [UInt8] {
        do {
            return try LineCodec.encode(value)
        } catch {
            throw Refusal(.internalFailure, "a value can not be written: \(error)")
        }
    }

    /// A file's value; nil if there is no such file or it does not contain one.
    package func value<Value: Decodable>(_ type: Value.Type, of name: String) throws(Refusal) -> Value? {
        guard let bytes = try read(name) else { return nil }
        return try? LineCodec.decode(type, from: bytes, beyondRange: .clamped)
    }
}
