import Glibc
import OperatorCommands
import SafeText

/// Files that decide what runs with the privileges of the user who opens them. No other user may be able to write them.
///
/// A group-writable folder with the set-group-ID bit, owned by root or by the caller, is one that operators share on
/// purpose. Its group then counts as the owner of the files in it.
enum PrivateFile {
    /// Creates an empty file if there was none, never through a symbolic link. Does nothing if the file exists.
    static func create(at path: String) throws(LedgerError) {
        let mode: mode_t = isShared(folder(of: path)) ? 0o660 : 0o600
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            let code = errno
            var status = stat()
            // A link to an existing file is a deliberate choice. A dangling link would create a file at its target.
            if code == EEXIST, stat(path, &status) == 0 { return }
            throw failure("make", path, code == EEXIST ? errno : code)
        }
        defer { close(descriptor) }
        // Regardless of the umask.
        guard fchmod(descriptor, mode) == 0 else { throw failure("make", path, errno) }
    }

    /// Creates a folder that no other user may enter, with any missing parents; in a shared folder, creates a shared
    /// one.
    static func createFolder(at path: String) throws(LedgerError) {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
        let parent = folder(of: path)
        if parent != path { try createFolder(at: parent) }
        guard mkdir(path, 0o700) == 0 else {
            if errno == EEXIST { return }
            throw failure("make the folder", path, errno)
        }
        // Regardless of the umask.
        guard !isShared(parent) || chmod(path, 0o2770) == 0 else { throw failure("share the folder", path, errno) }
    }

    /// - Throws: `untrusted` if another user could have written the file, put it there, or put a journal next to it,
    ///   which SQLite would replay into it. A link is a deliberate choice; its target is checked as well.
    static func requireTrusted(_ path: String) throws(LedgerError) {
        guard let resolved = realpath(path, nil) else { return }
        defer { free(resolved) }
        let target = String(cString: resolved)
        for file in target == path ? [path] : [path, target] {
            try require(folder(of: file), isFolder: true, of: path)
            try require(file, isFolder: false, of: path)
            try require(file + "-leases", isFolder: true, of: path)
        }
    }

    /// Whether something exists at the path, or the caller is not permitted to look.
    static func mayExist(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR)
    }

    static func folder(of path: String) -> String {
        path.cut(atLast: "/").map { $0.before.isEmpty ? "/" : String($0.before) } ?? "."
    }

    private static func isShared(_ folder: String) -> Bool {
        var status = stat()
        return stat(folder, &status) == 0 && status.st_mode & S_ISGID != 0 && status.st_mode & 0o020 != 0
    }

    private static func isMember(of group: gid_t) -> Bool {
        var groups = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
        let count = getgroups(Int32(groups.count), &groups)
        return group == getegid() || groups.prefix(Int(max(0, count))).contains(group)
    }

    private static func require(_ path: String, isFolder: Bool, of ledger: String) throws(LedgerError) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        let what = isFolder ? "The folder \(path) of the ledger \(ledger)" : "The ledger \(path)"
        let consequence = "The content of a ledger decides which commands run as you; nothing was read."
        let isShared = isShared(isFolder ? path : folder(of: path))
        // Only a folder of root or of the caller can mark its content as shared: anyone can create such a folder for a
        // group.
        let isColleagues = !isFolder && isShared && isMember(of: status.st_gid)
        guard status.st_uid == geteuid() || status.st_uid == 0 || isColleagues else {
            throw LedgerError(
                .untrusted,
                "\(what) belongs to \(account(status.st_uid)), not to you or to root. \(consequence) Work as its "
                    + "owner, or copy it to a folder of yours after you have checked its content.")
        }
        let forbidden: mode_t = isShared ? 0o002 : 0o022
        guard status.st_mode & forbidden == 0 else {
            throw LedgerError(
                .untrusted,
                "\(what) can be written by other users (mode \(String(status.st_mode & 0o7777, radix: 8))). "
                    + "\(consequence) Operators who share one keep it in a folder that root made for "
                    + "their group, with mode 2770.",
                next: .program(words: ["chmod", "go-w", "--", path]))
        }
    }

    private static func account(_ id: uid_t) -> String {
        getpwuid(id).map { String(cString: $0.pointee.pw_name) } ?? "the account \(id)"
    }

    private static func failure(_ what: String, _ path: String, _ code: Int32) -> LedgerError {
        LedgerError(
            code == ENOSPC || code == EDQUOT ? .diskFull : .cannotOpen,
            "Could not \(what) \(path): \(String(cString: strerror(code))); nothing was recorded.")
    }
}
