import Foundation
import Glibc
import TestSupport

/// A server from Debian's packages in a folder of its own, as a process of an ordinary user: `nobody` where the tests run
/// as root, whom PostgreSQL refuses.
final class RealServer {
    private let process: Process
    private let ending: Int32
    /// Its folder stays until the server has ended.
    private let host: HostUnderTest

    /// - Parameter ending: the signal that ends it and its children. A signal that the server does not itself wait for does not
    ///   arrive: threads of tests block most signals, and programs inherit that.
    init(_ words: [String], in folder: URL, of host: HostUnderTest, ending: Int32 = SIGKILL) throws {
        self.ending = ending
        self.host = host
        process = RealServer.process(words, in: folder)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: RealServer.log(in: folder))
        try process.run()
    }

    deinit { end() }

    var isRunning: Bool { process.isRunning }
    var processID: Int32 { process.processIdentifier }

    /// Returns when it is gone.
    func end() {
        guard process.isRunning else { return }
        kill(process.processIdentifier, ending)
        try? blockUntil("a server to end", within: .seconds(10)) { !process.isRunning }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// Runs a program as that user to its end.
    @discardableResult static func run(_ words: [String], in folder: URL) throws -> String {
        let program = process(words, in: folder)
        let output = Pipe()
        program.standardOutput = output
        program.standardError = output
        try program.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        program.waitUntilExit()
        guard program.terminationStatus == 0 else { throw Surprise("\(words) failed: \(text)") }
        return text
    }

    /// A new folder that belongs to that user.
    static func folder(_ name: String, of host: HostUnderTest) throws -> URL {
        let folder = host.folder.appending(path: name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        guard !isRoot || chown(folder.path, nobody, nobody) == 0 else { throw Surprise("chown: \(errno)") }
        return folder
    }

    /// Writes a certificate that is its own authority, and its key: `server.pem` and `server.key`.
    static func makeCertificate(for name: String, days: Int, in folder: URL) throws {
        try run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days",
                "\(days)", "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)", "-keyout", "server.key",
                "-out", "server.pem",
            ], in: folder)
    }

    /// A port that nothing uses at this moment.
    static func freePort() throws -> UInt16 {
        let (listener, port) = try CannedServer.listen()
        close(listener)
        return port
    }

    static func isInstalled(_ programs: String...) -> Bool {
        (programs + (isRoot ? ["/usr/bin/setpriv"] : [])).allSatisfy(FileManager.default.isExecutableFile(atPath:))
    }

    private static let isRoot = geteuid() == 0
    private static let nobody: uid_t = 65_534

    private static func process(_ words: [String], in folder: URL) -> Process {
        let user = ["/usr/bin/setpriv", "--reuid=\(nobody)", "--regid=\(nobody)", "--clear-groups"]
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = (isRoot ? user : []) + words
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/bin", "HOME": folder.path, "LANG": "C.UTF-8"]
        process.currentDirectoryURL = folder
        return process
    }

    private static func log(in folder: URL) throws -> URL {
        let file = folder.appending(path: "\(UUID().uuidString).log")
        try Data().write(to: file)
        return file
    }
}
