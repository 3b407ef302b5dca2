import AgentProtocol
import AgentRuntime
import ContentDigest
import UpgradeDomain

/// A host's disk: written files survive every crash completely; the disk may be full.
final class SimulatedDisk: Disk, @unchecked Sendable {
    private var files: [String: [UInt8]] = [:]
    private var writtenAt: [String: Int64] = [:]
    private var folders: Set<String> = []
    private var writes: Int64 = 0
    var isFull = false
    /// When it was last full, in the world's time.
    var lastFullAt: Int64 = -1_000_000

    private func requireRoom(_ path: String) throws(Refusal) {
        if isFull { throw Refusal(.diskFull, "can not write \(path): no space is left; free space and try again") }
    }

    private func put(_ path: String, _ bytes: [UInt8]) {
        files[path] = bytes
        writes += 1
        writtenAt[path] = writes
    }

    func makeFolder(_ path: String) throws(Refusal) {
        if folders.contains(path) { return }
        try requireRoom(path)
        folders.insert(path)
    }

    func names(in path: String) -> [String] {
        let prefix = path + "/"
        let all = (Array(files.keys) + folders).filter { $0.hasPrefix(prefix) }
        return Set(all.compactMap { $0.dropFirst(prefix.count).split(separator: "/").first.map(String.init) }).sorted()
    }

    func contains(_ path: String) -> Bool { files[path] != nil || folders.contains(path) }

    func read(_ path: String, limitBytes: Int) throws(Refusal) -> [UInt8]? { files[path] }

    func replace(
        _ path: String, _ pieces: [(fromByte: Int64, bytes: [UInt8])], mode: FileMode
    ) throws(Refusal) {
        try requireRoom(path)
        put(
            path,
            pieces.reduce([]) { whole, piece in
                whole + [UInt8](repeating: 0, count: Int(piece.fromByte) - whole.count) + piece.bytes
            })
    }

    func writeOnce(_ path: String, _ bytes: [UInt8], reserve: String?) throws(Refusal) -> Bool {
        if let reserve, files[reserve] != nil { files[reserve] = nil } else { try requireRoom(path) }
        if files[path] != nil { return false }
        put(path, bytes)
        return true
    }

    func reserve(_ path: String, bytes: Int) throws(Refusal) {
        try requireRoom(path)
        put(path, [])
    }

    func discard(_ path: String) {
        files = files.filter { $0.key != path && !$0.key.hasPrefix(path + "/") }
        folders = folders.filter { $0 != path && !$0.hasPrefix(path + "/") }
    }

    func modifiedAt(_ path: String) -> Int64 { writtenAt[path] ?? 0 }
    func byteCount(of path: String) -> Int64 { Int64(files[path]?.count ?? 0) }

    func slice(of path: String, fromByte: Int64, limitBytes: Int) throws(Refusal) -> [UInt8] {
        Array((files[path] ?? []).dropFirst(Int(fromByte)).prefix(limitBytes))
    }

    func digest(of path: String, limitBytes: Int64) -> Digest? { files[path].map { Digest.sha256(of: $0) } }

    /// Appends what a script writes to its output; lost if the disk is full.
    func append(_ path: String, _ bytes: [UInt8]) { if !isFull { put(path, (files[path] ?? []) + bytes) } }
}
