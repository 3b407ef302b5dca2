import Foundation
import Glibc
import Subprocess
import SystemPackage
import Testing

@testable import FleetAccess

/// Tests what a host's shell does with an agent, in a real shell with its own home.
struct AgentUploadTests {
    /// A host: a home and the command of its shell.
    private struct Host {
        let home: String
        var path = "/usr/bin:/bin"
        /// The account's own shell.
        var shell = "sh"

        init() throws {
            home = FileManager.default.temporaryDirectory.appending(path: "lockflight-\(UUID().uuidString)").path
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        }

        /// The input comes from a file, because a shell may end before it has read a pipe.
        func run(_ script: String, input: [UInt8] = []) async throws -> [UInt8] {
            let file = "\(home)/input"
            let input = Array(script.utf8) + input
            try Data(input).write(to: URL(fileURLWithPath: file))
            return try await Subprocess.run(
                .path(FilePath("/usr/bin/\(shell)")), arguments: ["-c", HostShell.line(for: script)],
                environment: .custom(["HOME": home, "PATH": path]),
                input: .fileDescriptor(try .open(FilePath(file), .readOnly), closeAfterSpawningProcess: true),
                output: .bytes(limit: 65_536)
            ).standardOutput
        }

        func lastLine(_ script: String, input: some Collection<UInt8>) async throws -> String {
            let output = String(decoding: try await run(script, input: Array(input)), as: UTF8.self)
            return String(output.split(separator: "\n").last ?? "")
        }

        func files() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "\(home)/.local/lib/lockflight").sorted()
        }

        func remove() { try? FileManager.default.removeItem(atPath: home) }
    }

    private static func architecture() async throws -> String {
        try await Subprocess.run(.name("uname"), arguments: ["-m"], output: .string(limit: 100)).standardOutput
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A program that prints its arguments.
    private func makeBuild(on host: Host, _ comment: String = "") async throws -> AgentBinary {
        let filling = (0..<5_000).map { "# \($0 &* 2_654_435_761) \(comment)\n" }.joined()
        let text = "#!/bin/sh\necho \"runs $1\"\ncat\n\(filling)"
        let path = "\(host.home)/build\(comment)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return try #require(AgentBinary(architecture: try await AgentUploadTests.architecture(), path: path))
    }

    private static func upload(_ build: AgentBinary, isPacked: Bool = true) async throws -> AgentUpload {
        AgentUpload(
            build: build, bytes: try #require(isPacked ? await build.compressed() : build.bytes()), isPacked: isPacked)
    }

    private func withHost(_ body: (Host) async throws -> Void) async throws {
        let host = try Host()
        defer { host.remove() }
        try await body(host)
    }

    private func absence(on host: Host, _ build: AgentBinary) async throws -> AgentScript.Absence {
        let answer = AgentScript.answer(in: try await host.run(AgentScript.startOrLook([build], in: AgentFolder(nil))))
        guard case .absent(let absence)? = answer else { throw CancellationError() }
        return absence
    }

    @Test(arguments: [true, false])
    func aCompleteUploadIsStartedByTheNextLook(isPacked: Bool) async throws {
        try await withHost { host in
            let build = try await makeBuild(on: host)
            let upload = try await AgentUploadTests.upload(build, isPacked: isPacked)
            let plain = try #require(build.bytes())
            #expect(!isPacked || upload.bytes.count < plain.count / 2)
            #expect(try await absence(on: host, build).architecture == build.architecture)
            #expect(try await host.lastLine(upload.script(from: 0), input: upload.bytes) == "published")
            #expect(try host.files() == ["agent-\(build.hexDigest)"])
            let answer = AgentScript.answer(
                in: try await host.run(AgentScript.startOrLook([build], in: AgentFolder(nil))))
            #expect(answer == .present(Array("runs serve\n".utf8)))
        }
    }

    /// Only the built bytes are run, even if somebody has written to the file since.
    @Test func otherBytesUnderTheAgentsNameAreNotRun() async throws {
        try await withHost { host in
            let build = try await makeBuild(on: host)
            let upload = try await AgentUploadTests.upload(build)
            let path = "\(host.home)/.local/lib/lockflight/agent-\(build.hexDigest)"
            let script = AgentScript.startOrLook([build], in: AgentFolder(nil))
            for _ in 0..<2 {
                #expect(try await host.lastLine(upload.script(from: 0), input: upload.bytes) == "published")
                // The digest is computed at the first start and remembered at the second.
                for _ in 0..<2 {
                    #expect(AgentScript.answer(in: try await host.run(script)) == .present(Array("runs serve\n".utf8)))
                }
                // The same size, and the old modification time.
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
                try file.seek(toOffset: 16)
                try file.write(contentsOf: Data("#".utf8))
                try file.close()
                let date = try #require(attributes[.modificationDate])
                try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
                #expect(try await absence(on: host, build).architecture == build.architecture)
            }
        }
    }

    @Test(arguments: [0o777, 0o775, 0o1777])
    func nothingIsRunFromAFolderThatOthersMayWrite(mode: Int) async throws {
        try await withHost { host in
            let build = try await makeBuild(on: host)
            let upload = try await AgentUploadTests.upload(build)
            #expect(try await host.lastLine(upload.script(from: 0), input: upload.bytes) == "published")
            let folder = "\(host.home)/.local/lib/lockflight"
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder)
            let script = AgentScript.startOrLook([build], in: AgentFolder(nil))
            guard case .exposed(let shown, let owner)? = AgentScript.answer(in: try await host.run(script)) else {
                Issue.record("the agent is run")
                return
            }
            #expect(shown.hasPrefix("drwxrwx") && owner == "\(geteuid())")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder)
            #expect(AgentScript.answer(in: try await host.run(script)) == .present(Array("runs serve\n".utf8)))
        }
    }

    /// fish and csh do not understand POSIX shell syntax.
    @Test(arguments: ["bash", "dash", "fish", "csh", "tcsh", "zsh"].filter(AgentUploadTests.isThere))
    func anyLoginShellStartsTheAgent(_ shell: String) async throws {
        try await withHost { host in
            var host = host
            host.shell = shell
            let build = try await makeBuild(on: host)
            let upload = try await AgentUploadTests.upload(build)
            #expect(try await host.lastLine(upload.script(from: 0), input: upload.bytes) == "published")
            // The input after the script is read by the agent.
            let script = AgentScript.startOrLook([build], in: AgentFolder(nil))
            let answer = AgentScript.answer(in: try await host.run(script, input: Array("more\n".utf8)))
            #expect(answer == .present(Array("runs serve\nmore\n".utf8)))
        }
    }

    static func isThere(_ program: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: "/usr/bin/\(program)")
    }

    @Test func anAgentMayBeKeptInAnotherFolder() async throws {
        try await withHost { host in
            let folder = AgentFolder("\(host.home)/it's $HOME")
            let build = try await makeBuild(on: host)
            var upload = try await AgentUploadTests.upload(build)
            upload.folder = folder
            #expect(try await host.lastLine(upload.script(from: 0), input: upload.bytes) == "published")
            let answer = AgentScript.answer(in: try await host.run(AgentScript.startOrLook([build], in: folder)))
            #expect(answer == .present(Array("runs serve\n".utf8)))
            #expect(!FileManager.default.fileExists(atPath: "\(host.home)/.local"))
        }
    }

    @Test func aHostsOutputIsQuotedAsOneClause() {
        #expect(HostShell.said([], []) == "and the host said nothing")
        let said = HostShell.said(Array("This account is\r\nclosed.\n\n".utf8), Array("bye".utf8))
        #expect(said == "and the host said: This account is; closed.; bye")
    }

    @Test func aPackedAgentIsSentOnlyIfItMatchesTheBuild() async throws {
        try await withHost { host in
            let build = try await makeBuild(on: host)
            let now = try #require(await build.compressed())
            func pack(_ path: String) async throws -> [UInt8] {
                // Packed differently than at upload time, so that the two can be distinguished.
                let packed = try await Subprocess.run(
                    .name("gzip"), arguments: ["-1nc", path], output: .bytes(limit: 1_048_576)
                ).standardOutput
                try Data(packed).write(to: URL(filePath: build.path + ".gz"))
                return packed
            }
            let before = try await pack(build.path)
            #expect(before != now)
            #expect(await build.compressed() == before)

            try FileManager.default.setAttributes(
                [.modificationDate: Date.distantPast], ofItemAtPath: build.path + ".gz")
            #expect(await build.compressed() == now)
            _ = try await pack(try await makeBuild(on: host, "-other").path)
            #expect(await build.compressed() == now)
            try Data().write(to: URL(filePath: build.path + ".gz"))
            #expect(await build.compressed() == now)
        }
    }

    @Test func anInterruptedUploadContinuesWhereItStopped() async throws {
        try await withHost { host in
            let build = try await makeBuild(on: host)
            let upload = try await AgentUploadTests.upload(build)
            let half = upload.bytes.count / 2
            #expect(try await host.lastLine(upload.script(from: 0), input: upload.bytes[..<half]) == "failed")
            let left = try await absence(on: host, build)
            #expect(upload.offset(after: left) == half)
            #expect(try await host.lastLine(upload.script(from: half), input: upload.bytes[half...]) == "published")
            #expect(try host.files() == ["agent-\(build.hexDigest)"])
        }
    }

    @Test func aPartialUploadOfOtherBytesIsNotContinued() async throws {
        try await withHost { host in
            let build = try await makeBuild(on: host)
            let upload = try await AgentUploadTests.upload(build)
            _ = try await host.lastLine(upload.script(from: 0), input: upload.bytes[..<1_000])
            let part = "\(host.home)/.local/lib/lockflight/agent-\(build.hexDigest).gz.part"
            try Data(repeating: 1, count: 1_000).write(to: URL(fileURLWithPath: part))
            var raw = try await absence(on: host, build)
            #expect(upload.offset(after: raw) == 0)
            raw.hasGzip = false
            #expect(upload.offset(after: raw) == 0)
            raw.partBytes = upload.bytes.count + 1
            #expect(upload.offset(after: raw) == 0)
        }
    }

    @Test func theSecondToContinueAnUploadStartsOver() async throws {
        try await withHost { host in
            let build = try await makeBuild(on: host)
            let upload = try await AgentUploadTests.upload(build)
            _ = try await host.lastLine(upload.script(from: 0), input: upload.bytes[..<1_000])
            #expect(try await host.lastLine(upload.script(from: 1_000), input: upload.bytes[1_000...]) == "published")
            #expect(try await host.lastLine(upload.script(from: 1_000), input: upload.bytes[1_000...]) == "lost")
            #expect(try await host.lastLine(upload.script(from: 0), input: upload.bytes) == "published")
        }
    }

    @Test func bytesOfAnotherDigestAreNeverPublished() async throws {
        try await withHost { host in
            let build = try await makeBuild(on: host)
            let other = try await AgentUploadTests.upload(try await makeBuild(on: host, "other"), isPacked: false)
            let upload = AgentUpload(build: build, bytes: other.bytes, isPacked: false)
            let end = try await host.lastLine(upload.script(from: 0), input: other.bytes)
            #expect(end == "failed")
            #expect(try host.files().isEmpty)
        }
    }

    @Test func aHostWithoutGzipSaysSo() async throws {
        try await withHost { host in
            let build = try await makeBuild(on: host)
            var bare = host
            bare.path = "\(host.home)/bin"
            try FileManager.default.createDirectory(atPath: bare.path, withIntermediateDirectories: true)
            for name in ["uname", "wc", "sha256sum", "dd"] {
                try FileManager.default.createSymbolicLink(
                    atPath: "\(bare.path)/\(name)", withDestinationPath: "/usr/bin/\(name)")
            }
            let lacking = try await absence(on: bare, build)
            #expect(!lacking.hasGzip)
            let whole = try await absence(on: host, build)
            #expect(whole.hasGzip)
        }
    }

    @Test func anotherArchitectureGetsNoBuild() async throws {
        try await withHost { host in
            let path = "\(host.home)/build"
            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
            let build = try #require(AgentBinary(architecture: "s390x", path: path))
            let answer = try await absence(on: host, build)
            let own = try await AgentUploadTests.architecture()
            #expect(answer.architecture == own)
            #expect(answer.partBytes == 0)
        }
    }

    @Test func outputOfRCFilesIsSkipped() {
        let noise = "Welcome!\nlockflight-agent: nonsense\nlockflight-agent: absent a;b gz 0\n"
        #expect(AgentScript.answer(in: Array(noise.utf8)) == nil)
        let whole = AgentScript.answer(in: Array("\(noise)no newline\nlockflight-agent: absent riscv64 raw 0\n".utf8))
        #expect(whole == .absent(AgentScript.Absence(architecture: "riscv64", hasGzip: false)))
    }

    @Test func aBuildComesFromTheFirstFolderThatHasOne() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lockflight-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (name, text) in [
            ("a/lockflight-agent-x86_64", "first"), ("b/lockflight-agent-x86_64", "second"),
            ("b/lockflight-agent-aarch64", "arm"), ("b/lockflight-agent-x86_64.debug", "no architecture"),
        ] {
            let url = URL(fileURLWithPath: "\(folder)/\(name)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        let builds = AgentBinaries(folders: ["\(folder)/none", "\(folder)/a", "\(folder)/b"]).find()
        #expect(builds.map(\.architecture) == ["x86_64", "aarch64"])
        #expect(builds.map { String(decoding: $0.bytes() ?? [], as: UTF8.self) } == ["first", "arm"])
    }
}
