import CoordinatorRuntime
import Foundation
import Glibc
import OperatorCommands
import PlanFiles
import SafeText
import UpgradeDomain

/// Every file that a person names is read here.
extension Context {
    /// The text of a file.
    ///
    /// - Parameters:
    ///   - path: as the operator or a file names it.
    ///   - limitBytes: a larger file is refused, and not read.
    ///   - mayStream: whether it may be a pipe or a device, such as `<(...)` or `/dev/stdin`. A file that another file names
    ///     may not: nobody may be writing to it.
    func readFile(_ path: String, limitBytes: Int = 16 << 20, mayStream: Bool = true) throws -> String {
        let descriptor = try opened(path, limitBytes, mayStream: mayStream)
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let data: Data
        do {
            data = try handle.read(upToCount: limitBytes + 1) ?? Data()
        } catch {
            throw unreadable(path, "can not be read: \(error.localizedDescription)")
        }
        guard data.count <= limitBytes else { throw tooLarge(path, limitBytes) }
        guard let text = String(data: data, encoding: .utf8) else {
            throw CommandError(.refused, "\(path) is not UTF-8 text", consequence: "Nothing was stored.")
        }
        return text
    }

    /// The text of a regular file in a folder or below it, wherever links lead.
    func readFile(_ path: String, in folder: String, limitBytes: Int) throws -> String {
        let place = folder + path
        guard let whole = realpath(place, nil), let top = realpath(folder.isEmpty ? "." : folder, nil) else {
            throw unreadable(place, "can not be read: \(String(cString: strerror(errno)))")
        }
        defer {
            free(whole)
            free(top)
        }
        let (found, limits) = (String(cString: whole), String(cString: top))
        guard found.begins(with: limits == "/" ? limits : limits + "/") else {
            throw CommandError(
                .refused, "\(place) leads to \(found), which is not in the folder of the plan file",
                consequence: "Nothing was stored.", next: .program(words: ["ls", "-l", "--", place]))
        }
        return try readFile(found, limitBytes: limitBytes, mayStream: false)
    }

    /// Opens a file without waiting for whoever writes to it.
    private func opened(_ path: String, _ limitBytes: Int, mayStream: Bool) throws -> Int32 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw unreadable(path, "can not be read: \(String(cString: strerror(errno)))") }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let words = String(cString: strerror(errno))
            close(descriptor)
            throw unreadable(path, "can not be read: \(words)")
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            guard status.st_size <= Int64(limitBytes) else {
                close(descriptor)
                throw tooLarge(path, limitBytes)
            }
            return descriptor
        case S_IFDIR:
            close(descriptor)
            throw unreadable(path, "is a folder, not a file")
        default:
            guard mayStream else {
                close(descriptor)
                throw unreadable(path, "is not a regular file")
            }
            // The operator named a pipe or a device, whose writer may come later: a pipe that nobody has opened yet would
            // read as empty. It stays open, so that no writer loses its reader.
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while poll(&wanted, 1, -1) < 0, errno == EINTR {}
            _ = fcntl(descriptor, F_SETFL, O_RDONLY)
            return descriptor
        }
    }

    private func unreadable(_ path: String, _ words: String) -> CommandError {
        CommandError(
            .refused, "\(path) \(words)", consequence: "Nothing was stored.",
            next: .program(words: ["ls", "-ld", "--", path]))
    }

    private func tooLarge(_ path: String, _ limitBytes: Int) -> CommandError {
        CommandError(
            .refused, "\(path) is larger than the limit of \(limitBytes) bytes", consequence: "Nothing was stored.")
    }
}

extension Context {
    /// The plan that a file describes, with the files that it carries and its release manifests, which are read from its folder.
    ///
    /// - Parameter isStored: whether it is to be stored.
    func plan(
        in file: String, over inventory: FleetInventory, _ versions: VersionOptions, isStored: Bool = false
    ) throws -> Plan {
        let folder = file.cut(atLast: "/").map { "\($0.before)/" } ?? ""
        return try PlanFile.read(
            text: try readFile(file), file: file, inventory: inventory, at: Context.clock.wall(),
            versions: versions.arguments, isStored: isStored,
            loading: { path in
                let place = path.begins(with: "/") ? path : folder + path
                return try readFile(place, limitBytes: ReleaseManifest.totalBytes, mayStream: false)
            },
            carrying: { path in try readFile(path, in: folder, limitBytes: CarriedFile.totalBytes) })
    }
}
