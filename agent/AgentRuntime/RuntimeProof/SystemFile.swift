import Glibc

/// Files of the machine, as they appear in `/proc`.
enum SystemFile {
    /// The target of a symbolic link, exactly as written; nil if it cannot be read.
    static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlink(path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// The path with symbolic links resolved; nil if nothing exists there.
    static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    /// A file as text; nil if it cannot be read.
    static func text(of path: String, limitBytes: Int = AgentLimits.stateFileBytes) -> String? {
        let file = Folder(path: path)
        guard let bytes = try? file.parent.read(file.name, limitBytes: limitBytes) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
