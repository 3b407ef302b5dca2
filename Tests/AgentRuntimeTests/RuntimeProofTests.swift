import AgentProtocol
import ContentDigest
import Foundation
import TestSupport
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// Tests the chain from a release on disk to the serving process with real files, processes and sockets.
@Suite struct RuntimeProofTests {
    /// An interpreted service that listens, started from a release with a manifest.
    private final class Stack {
        let host: HostUnderTest
        let port: String
        private var children: [Process] = []
        var folder: String { host.folder.path }
        var service: Process { children[0] }

        init() throws {
            host = try HostUnderTest()
            try Stack.shell(
                """
                mkdir -p releases/1 releases/2 run && ln -sfn releases/1 current
                cat > releases/1/service.py <<'END'
                import socket, sys, time
                server = socket.create_server(("127.0.0.1", 0))
                open(sys.argv[1], "w").write(str(server.getsockname()[1]))
                time.sleep(600)
                END
                sed 's/600/601/' releases/1/service.py > releases/2/service.py
                cp "$(command -v sleep)" releases/1/sleeper
                (cd releases/1 && sha256sum service.py sleeper > manifest.sha256)
                (cd releases/2 && sha256sum service.py > manifest.sha256)
                """, in: host.folder)
            let portFile = host.folder.appending(path: "run/port")
            let process = try Stack.start(
                ["python3", "\(host.folder.path)/releases/1/service.py", portFile.path], in: host.folder)
            children = [process]
            var found = ""
            try blockUntil("the service listens") {
                found = (try? String(contentsOf: portFile, encoding: .utf8)) ?? ""
                return !found.isEmpty
            }
            port = found
            try name(process.processIdentifier)
        }

        deinit {
            for child in children where child.isRunning { kill(child.processIdentifier, SIGKILL) }
            if let grandchild = host.lines(of: "run/child-pid").first.flatMap({ Int32($0) }) {
                kill(grandchild, SIGKILL)
            }
        }

        func name(_ pid: Int32) throws { try host.write("run/pid", "\(pid)\n") }

        func run(_ arguments: [String]) throws -> Process {
            let process = try Stack.start(arguments, in: host.folder)
            children.append(process)
            try blockUntil("\(arguments) runs") {
                SystemFile.link("/proc/\(process.processIdentifier)/exe")?.contains(arguments[0].suffix(5)) == true
            }
            return process
        }

        func shell(_ text: String) throws { try Stack.shell(text, in: host.folder) }

        private static func start(_ arguments: [String], in folder: URL) throws -> Process {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = arguments
            process.currentDirectoryURL = folder
            try process.run()
            return process
        }

        private static func shell(_ text: String, in folder: URL) throws {
            let process = try start(["sh", "-ec", text], in: folder)
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw Surprise("exit \(process.terminationStatus): \(text)") }
        }

        func items(change: (inout RuntimeSource) -> Void = { _ in }) throws -> [String: EvidenceItem] {
            var source = RuntimeSource(manifest: "current/manifest.sha256", pidFile: "run/pid", ports: [port])
            change(&source)
            let request = SurfaceRequest(name: "runtime:app", source: .runtime(source))
            let reply = try #require(try host.session(epoch: nil).capture([request], in: folder).first)
            #expect(reply.resultCode == 0 && reply.failure == nil)
            let items = try JSONDecoder().decode([EvidenceItem].self, from: Data(reply.body.elements))
            #expect(Set(items.map(\.key)) == Set(source.links.map(\.description)), "every link has its item")
            return Dictionary(uniqueKeysWithValues: items.map { ($0.key, $0) })
        }
    }

    @Test func aSpecialFileNeverBlocksTheProof() throws {
        let stack = try Stack()
        try stack.shell("mkfifo fifo")
        for path in ["fifo", "/dev/zero"] {
            let byPID = try stack.items { $0.pidFile = path }
            #expect(byPID.values.contains { $0.value.contains("\(path) can not be read") }, "\(byPID)")
            let byManifest = try stack.items { $0.manifest = path }
            #expect(byManifest.values.contains { $0.value.contains("is not a regular file") }, "\(byManifest)")
        }
        // A file that the manifest lists.
        try stack.shell("cd current && f=$(sed -n '1s/^.\\{66\\}//p' manifest.sha256) && rm \"$f\" && mkfifo \"$f\"")
        #expect(try stack.items().values.contains { $0.health != .healthy })
    }

    @Test func aReleaseThatRunsExactlyAsOnDiskIsHealthy() throws {
        let before = WallTime.now
        let stack = try Stack()
        let items = try stack.items()
        #expect(items.values.allSatisfy { $0.health == .healthy }, "\(items)")
        #expect(items["files"]?.value == "2 as the manifest says")
        #expect(items["program"]?.value.hasPrefix("service.py, by /") == true)
        #expect(items["manifest"]?.value == Digest.ofFile("\(stack.folder)/releases/1/manifest.sha256")?.rawValue)
        let started = try #require(items["started"].flatMap { WallTime(rfc3339: $0.value) })
        #expect(started >= before && started <= .now)
        // Without a pid file the process is found through its listening socket.
        #expect(try stack.items { $0.pidFile = nil }["process"] == items["process"])
    }

    /// What breaks which link, and the expected message.
    static let breaks: [(what: String, shell: String, link: String, says: String, health: Health)] = [
        ("edited", "echo '#' >> releases/1/service.py", "files", "service.py does not match", .unhealthy),
        ("edited", "echo '#' >> releases/1/service.py", "program", "after process", .unhealthy),
        ("removed", "rm releases/1/sleeper", "files", "sleeper is missing", .unhealthy),
        ("unreadable", "rm releases/1/sleeper && mkdir releases/1/sleeper", "files", "can not be read", .unknown),
        ("switched", "ln -sfn releases/2 current", "program", "no file of", .unhealthy),
        ("no manifest", "rm releases/1/manifest.sha256", "manifest", "can not be found", .unknown),
        ("no manifest", "rm releases/1/manifest.sha256", "program", "no manifest", .unknown),
        ("damaged", "echo service.py > releases/1/manifest.sha256", "manifest", "line 1", .unknown),
        ("empty", ": > releases/1/manifest.sha256", "files", "lists no file", .unknown),
        ("gone", "echo 999999999 > run/pid", "process", "is not running", .unhealthy),
        ("gone", "echo 999999999 > run/pid", "started", "is not running", .unhealthy),
        ("no pid", "echo none > run/pid", "process", "holds no process id", .unknown),
    ]

    @Test(arguments: breaks.indices)
    func aBrokenLinkIsNamed(_ index: Int) throws {
        let (what, shell, link, says, health) = RuntimeProofTests.breaks[index]
        let stack = try Stack()
        try stack.shell(shell)
        let item = try #require(try stack.items()[link])
        #expect(item.value.contains(says), "\(what): \(item)")
        #expect(item.health == health, "\(what): \(item)")
    }

    @Test func aPortIsHealthyOnlyIfTheProcessOwnsIt() throws {
        let stack = try Stack()
        let other = try stack.run(["sleep", "600"])
        try stack.name(other.processIdentifier)
        #expect(try stack.items()["port 1"]?.value.hasPrefix("a process other than") == true)
        try stack.name(stack.service.processIdentifier)
        let silent = try stack.items { $0.ports = [stack.port, "1"] }
        #expect(silent["port 1"]?.health == .healthy)
        #expect(silent["port 2"] == EvidenceItem(key: "port 2", value: "no process listens on 1", health: .unhealthy))
        let nobody = try stack.items {
            $0.ports = ["1"]
            $0.pidFile = nil
        }
        #expect(nobody["process"]?.health == .unhealthy)
    }

    @Test func aProgramThatIsReplacedUnderItsProcessIsSeen() throws {
        let stack = try Stack()
        let sleeper = try stack.run(["\(stack.folder)/releases/1/sleeper", "600"])
        try stack.name(sleeper.processIdentifier)
        let before = try stack.items { $0.ports = [] }
        #expect(before["program"] == EvidenceItem(key: "program", value: "sleeper", health: .healthy))
        #expect(before["mappings"]?.health == .healthy)
        // The same bytes again: disk and manifest agree, but another file is running.
        try stack.shell("cp releases/1/sleeper new && mv new releases/1/sleeper")
        let after = try stack.items { $0.ports = [] }
        #expect(after["files"]?.health == .healthy)
        #expect(after["program"]?.value.contains("was replaced after process") == true)
        #expect(after["mappings"]?.health == .unhealthy)
    }

    @Test func aPortMayBeThatOfOneAddress() throws {
        let stack = try Stack()
        for (address, health) in [("127.0.0.1", Health.healthy), ("127.0.0.2", .unhealthy), ("[::1]", .unhealthy)] {
            let item = try stack.items { $0.ports = ["\(address):\(stack.port)"] }["port 1"]
            #expect(item?.health == health, "\(address): \(String(describing: item))")
        }
        for text in ["0", "localhost:80", "70000", "1.2.3:80", ""] {
            #expect(try stack.items { $0.ports = [text] }["port 1"]?.health == .unknown, "\(text)")
        }
    }

    @Test func aChildMayHoldThePort() throws {
        let stack = try Stack()
        let shell = try stack.run([
            "sh", "-c", "python3 releases/1/service.py run/child-port & echo $! >run/child-pid; wait",
        ])
        try stack.name(shell.processIdentifier)
        var port = ""
        try blockUntil("the child listens") {
            port = stack.host.lines(of: "run/child-port").first ?? ""
            return !port.isEmpty
        }
        #expect(try stack.items { $0.ports = [port] }["port 1"]?.health == .healthy)
    }

    @Test func aCheckoutStandsAtItsCommitUnchanged() throws {
        let stack = try Stack()
        try stack.shell(
            """
            git init -q repo && cd repo && echo one > file && git add file
            git -c user.name=t -c user.email=t@localhost commit -qm one && git rev-parse HEAD > ../run/head
            """)
        func checkout() throws -> [String: EvidenceItem] {
            try stack.items { $0 = RuntimeSource(checkout: "repo") }
        }
        let clean = try checkout()
        let head = stack.host.lines(of: "run/head").first
        #expect(clean["commit"] == EvidenceItem(key: "commit", value: head ?? "", health: .healthy))
        #expect(clean["worktree"]?.health == .healthy)
        try stack.shell("echo two > repo/file")
        #expect(try checkout()["worktree"]?.value == "1 tracked files differ, first file")
        try stack.shell("rm -r repo/.git")
        let none = try checkout()
        #expect(none["commit"]?.health == .unknown && none["worktree"]?.health == .unknown)
    }

    @Test func preflightComparesRollbackArtifactsWithTheirDigests() throws {
        let stack = try Stack()
        let manifest = try #require(Digest.ofFile("\(stack.folder)/releases/1/manifest.sha256"))
        func differing() throws -> [String] {
            let request = PreflightRequest(
                run: nil, workingDirectory: stack.folder, commands: [],
                requires: [
                    "releases/1",
                    RollbackArtifact(path: "releases/1/manifest.sha256", sha256: manifest, isManifest: true),
                    RollbackArtifact(path: "releases/2/manifest.sha256", sha256: manifest),
                ], preserve: [])
            guard case .preflight(let reply) = try stack.host.session(epoch: nil).ask(.preflight(request)) else {
                throw Surprise("no preflight")
            }
            return reply.differingPaths
        }
        let intact = try differing()
        #expect(intact.count == 1 && intact[0].hasPrefix("releases/2/manifest.sha256 is "), "\(intact)")
        try stack.shell("echo '#' >> releases/1/service.py")
        #expect(try differing().contains("releases/1/manifest.sha256: service.py does not match the manifest"))
    }

    // MARK: Recorded outputs

    /// `/proc/PID/maps` lines as the kernel writes them; only a replaced program or library counts.
    @Test(arguments: [
        ("7f1c2a000000-7f1c2a028000 r-xp 00028000 fe:01 1053 /usr/lib/x86_64-linux-gnu/libc.so.6", nil),
        ("7f1c2a000000-7f1c2a028000 r-xp 00028000 fe:01 1053 /usr/lib/libssl.so.3 (deleted)", "/usr/lib/libssl.so.3"),
        ("7f1c2a000000-7f1c2a028000 r-xp 00028000 fe:01 1053 /opt/a b/lib.so (deleted)", "/opt/a b/lib.so"),
        ("7f1c2a000000-7f1c2a028000 r--p 00028000 fe:01 1053 /var/lib/app/data.mdb (deleted)", nil),
        ("7f1c2a000000-7f1c2a028000 rwxs 00000000 00:01 2048 /memfd:doublemapper (deleted)", nil),
        ("7f1c2a000000-7f1c2a028000 r-xs 00000000 00:01 2048 /tmp/ffiXg3b2c (deleted)", nil),
    ])
    func onlyAReplacedProgramOrLibraryCounts(line: String, path: String?) {
        #expect(RunningProcess.replacedMapping(in: "55e0c0000000-55e0c0001000 r--p 0 00:00 0\n\(line)\n") == path)
    }

    /// Shortened real answers of Docker 20.10 and Podman 4.3.
    @Test(arguments: [
        (
            #"[{"Id":"36ed","State":{"Status":"running","Running":true,"Pid":24878,"StartedAt":"2020-08-29T09:12:02Z"},"Image":"sha256:4bb46517cac397bdb0bab6eba09b0e1f8e90ddd17cf99662997c3253531136f8"}]"#,
            "running", Health.healthy, "sha256:4bb46517cac397bdb0bab6eba09b0e1f8e90ddd17cf99662997c3253531136f8",
            Int32?.some(24878)
        ),
        (
            #"[{"Id":"5e1f","State":{"Status":"running","Running":true,"Pid":4804,"Health":{"Status":"unhealthy","FailingStreak":3}},"Image":"sha256:bd596fbc18ff4564da0c2ca35343b3730bcc2d433915fc0fba3ade715fdc0b3c"}]"#,
            "running, unhealthy", .unhealthy, "sha256:bd596fbc18ff4564da0c2ca35343b3730bcc2d433915fc0fba3ade715fdc0b3c",
            4804
        ),
        (
            #"[{"Id":"3aed","State":{"Status":"exited","Running":false,"Pid":0,"ExitCode":137},"Image":"sha256:74f2314a03de34a0a2d552b805411fc9553a02ea71c1291b815b2f645f565683"}]"#,
            "exited", .unhealthy, "sha256:74f2314a03de34a0a2d552b805411fc9553a02ea71c1291b815b2f645f565683", nil
        ),
        (
            #"[{"Id":"d4d1","State":{"OciVersion":"1.0.2-dev","Status":"created","Running":false,"Pid":0,"Health":{"Status":"","FailingStreak":0,"Log":null}},"Image":"8bbf818b9e7921fb116fd0c7555efdad9e699d9a72fd12541ca0f26591e5f87a","ImageDigest":"sha256:9750e4d970774a64851ff5fe41449a471562f98a1a81b403e6f9295ef245032d"}]"#,
            "created", .unhealthy, "sha256:8bbf818b9e7921fb116fd0c7555efdad9e699d9a72fd12541ca0f26591e5f87a", nil
        ),
    ])
    func aContainerIsReadAsItsEngineDescribesIt(
        answer: String, status: String, health: Health, image: String, pid: Int32?
    ) {
        var facts = ContainerFacts(.success(answer))
        #expect(facts.items[0] == EvidenceItem(key: "container", value: status, health: health))
        #expect(facts.imageID == image)
        #expect((try? facts.processID()) == pid)
        facts.addRepositoryDigests(.success(#"[{"RepoDigests":["localhost/sleeper@sha256:9750"]}]"#))
        #expect(facts.items[1].value == "\(image), localhost/sleeper@sha256:9750")
    }

    @Test(arguments: ["[]", "[{}]", "no such container", ""])
    func anAnswerThatDescribesNoContainerIsUnknown(answer: String) {
        #expect(ContainerFacts(.success(answer)).items.allSatisfy { $0.health == .unknown })
    }

    /// Answers to `systemctl show --property=...` as systemd 252 writes them.
    @Test(arguments: [
        (
            "MainPID=1354\nLoadState=loaded\nActiveState=active\nSubState=running\nNeedDaemonReload=no\n",
            "active (running)", Health.healthy, Int32?.some(1354)
        ),
        (
            "MainPID=1354\nLoadState=loaded\nActiveState=active\nSubState=running\nNeedDaemonReload=yes\n",
            "its unit file has changed since it was loaded: daemon-reload is due", .unhealthy, 1354
        ),
        (
            "MainPID=0\nLoadState=loaded\nActiveState=failed\nSubState=failed\nNeedDaemonReload=no\n",
            "failed (failed)", .unhealthy, nil
        ),
        (
            "MainPID=0\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nNeedDaemonReload=no\n",
            "its unit file is not-found", .unhealthy, nil
        ),
        ("", "systemctl's answer describes no unit", .unknown, nil),
    ])
    func aUnitIsReadAsSystemdShowsIt(answer: String, value: String, health: Health, pid: Int32?) {
        let facts = UnitFacts(.success(answer))
        #expect(facts.item == EvidenceItem(key: "unit", value: value, health: health))
        #expect((try? facts.processID()) == pid)
    }

    @Test func aNameWithALineBreakIsReadAsSha256sumEscapesIt() throws {
        let digits = String(repeating: "a", count: 64)
        let parsed = try ReleaseManifest.parse("\\\(digits)  a\\nb\\\\c\n\(digits) *plain\n", folder: "/r")
        #expect(Set(parsed.keys) == ["/r/a\nb\\c", "/r/plain"])
    }
}
