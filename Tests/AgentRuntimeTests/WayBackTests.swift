import AgentProtocol
import Foundation
import Glibc
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// A rollback command runs as it would have run before the change, whatever the change did to its files.
@Suite struct WayBackTests {
    /// A stack at version 1 in its own folder, and a rollback script that finds the stack relative to itself.
    struct Form: Sendable, CustomTestStringConvertible {
        var name: String
        /// Path below the working directory -> content.
        var files: [String: String]
        var command: ScriptCommand
        var keeps: [String] = []
        var testDescription: String { name }
    }

    private static func command(
        _ arguments: String..., in workingDirectory: String? = nil, script: String? = nil
    ) -> ScriptCommand {
        ScriptCommand(
            arguments: arguments, workingDirectory: workingDirectory, timeoutSeconds: 20, script: script)
    }

    private static let goBack = "#!/bin/bash\nset -e\ncd \"$(dirname \"$0\")/..\"\necho \"$1\" > VERSION\n"

    static let forms: [Form] = [
        Form(name: "a script", files: ["scripts/go.sh": goBack], command: command("./scripts/go.sh", "1")),
        Form(name: "its path without a dot", files: ["scripts/go.sh": goBack], command: command("scripts/go.sh", "1")),
        Form(name: "through bash", files: ["scripts/go.sh": goBack], command: command("bash", "./scripts/go.sh", "1")),
        Form(
            name: "an absolute path", files: ["scripts/go.sh": goBack],
            command: command("${workingDirectory}/scripts/go.sh", "1")),
        Form(
            name: "in the working directory itself",
            files: ["go.sh": "#!/bin/bash\nset -e\ncd \"$(dirname \"$0\")\"\necho \"$1\" > VERSION\n"],
            command: command("./go.sh", "1")),
        Form(
            name: "a bare name for bash",
            files: ["go.sh": "cd \"$(dirname \"${BASH_SOURCE[0]}\")\" && echo \"$1\" > VERSION\n"],
            command: command("bash", "-e", "-o", "pipefail", "go.sh", "1")),
        Form(
            name: "a sourced library",
            files: [
                "scripts/go.sh":
                    "#!/bin/bash\nset -e\n. \"$(dirname \"${BASH_SOURCE[0]}\")/lib/common.sh\"\ngo \"$1\"\n",
                "scripts/lib/common.sh": "go() { echo \"$1\" > \"$(dirname \"${BASH_SOURCE[0]}\")/../../VERSION\"; }\n",
            ], command: command("./scripts/go.sh", "1")),
        Form(
            name: "a nested folder with a library beside it",
            files: [
                "ops/host/go.sh":
                    "#!/bin/bash\nset -e\ncd \"$(dirname \"$0\")\"\n. ../lib/common.sh\ncd ../..\ngo \"$1\"\n",
                "ops/lib/common.sh": "go() { echo \"$1\" > VERSION; }\n",
            ], command: command("./ops/host/go.sh", "1"), keeps: ["ops"]),
        Form(
            name: "a directory of its own", files: ["scripts/go.sh": goBack],
            command: command("./go.sh", "1", in: "scripts")),
        Form(
            name: "a shell's text", files: ["scripts/go.sh": goBack],
            command: command("bash", "-c", "cd scripts && ./go.sh 1 && cd ../myscripts"), keeps: ["scripts"]),
        Form(
            name: "a shell's text behind another program", files: ["scripts/go.sh": goBack],
            command: command("env", "A=b", "bash", "-ec", "cd scripts; ./go.sh 1"), keeps: ["scripts"]),
        Form(
            name: "a shell's text that names its script", files: ["scripts/go.sh": goBack],
            command: command("bash", "-c", "true; ./scripts/go.sh 1", script: "./scripts/go.sh")),
        Form(
            name: "a bare name for another program",
            files: [
                "go.py": "import os\nopen(os.path.dirname(os.path.abspath(__file__)) + '/VERSION', 'w').write('1\\n')\n"
            ],
            command: command("python3", "go.py")),
        Form(
            name: "an absolute interpreter", files: ["scripts/go.sh": goBack],
            command: command("/bin/bash", "./scripts/go.sh", "1")),
        Form(
            name: "behind another program", files: ["scripts/go.sh": goBack],
            command: command("/usr/bin/env", "A=b", "bash", "./scripts/go.sh", "1")),
        Form(
            name: "up from a directory of its own", files: ["scripts/go.sh": goBack, "docker/compose.yaml": "x"],
            command: command("../scripts/go.sh", "1", in: "docker")),
        Form(
            name: "below a folder that goes", files: ["deploy/scripts/go.sh": goBack.replacing("/..", with: "/../..")],
            command: command("./deploy/scripts/go.sh", "1")),
        Form(
            name: "make in a directory of its own",
            files: ["ops/Makefile": "back:\n\techo 1 > ../VERSION\n"],
            command: command("make", "-s", "back", in: "ops"),
            keeps: ["ops"]),
        Form(
            name: "a link to its script elsewhere",
            files: [
                "releases/1/go.sh": goBack.replacing("/..", with: "/.."), "scripts/go.sh": "-> ../releases/1/go.sh",
            ],
            command: command("./scripts/go.sh", "1")),
        Form(
            name: "a link to its script",
            files: ["scripts/real.sh": goBack, "scripts/go.sh": "-> real.sh"], command: command("./scripts/go.sh", "1")),
    ]

    /// A host with a stack, and a preflight that keeps what the rollback needs.
    private struct Stack {
        let host: HostUnderTest
        let session: AgentUnderTest
        let command: ScriptCommand
        var folder: URL { host.folder.appending(path: "stack") }

        init(_ form: Form) throws {
            host = try HostUnderTest()
            session = try host.session()
            var command = form.command
            let folder = host.folder.appending(path: "stack")
            command.arguments = command.arguments.map { $0.replacing("${workingDirectory}", with: folder.path) }
            self.command = command
            for (name, text) in form.files { try write(name, text) }
            try write("VERSION", "2\n")
            try FileManager.default.createDirectory(
                at: folder.appending(path: "myscripts"), withIntermediateDirectories: true)
            let reply = try preflight(form.keeps)
            guard case .preflight(let found) = reply else { throw Surprise("\(reply)") }
            guard found.missingScripts == [] else { throw Surprise("\(found.missingScripts)") }
        }

        func preflight(_ keeps: [String]) throws -> AgentReply {
            try session.ask(
                .preflight(
                    PreflightRequest(
                        run: "r-1", workingDirectory: folder.path, commands: [command], requires: [], preserve: [],
                        keeps: [KeepOrder(command: command, paths: keeps)])))
        }

        func write(_ name: String, _ text: String) throws {
            let file = folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            if text.hasPrefix("-> ") {
                return try FileManager.default.createSymbolicLink(
                    atPath: file.path, withDestinationPath: String(text.dropFirst(3)))
            }
            try Data(text.utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
        }

        func goBack(_ id: OperationID, guardrails: [ScriptCommand] = []) throws -> (
            record: OperationRecord, output: String
        ) {
            var request = host.start(id, command, guardrails: guardrails, usesPreservedScript: true)
            request.workingDirectory = folder.path
            return try session.run(request)
        }

        var version: String { (try? String(contentsOf: folder.appending(path: "VERSION"), encoding: .utf8)) ?? "" }

        /// Everything that was placed below the folder for a rollback and is still there.
        func left() throws -> [String] {
            let all = FileManager.default.enumerator(atPath: host.folder.path)?.allObjects as? [String] ?? []
            return all.filter { $0.contains(".lockflight-") || $0.hasSuffix("/placed.json") }
        }
    }

    @Test(arguments: forms)
    func scriptsThatTheChangeReplacedRunAsTheyWere(_ form: Form) throws {
        let stack = try Stack(form)
        for (name, text) in form.files where !text.hasPrefix("-> ") {
            try stack.write(name, "#!/bin/bash\necho wrong > \(stack.folder.path)/VERSION\n")
        }
        let (record, output) = try stack.goBack("op")
        #expect(record.outcome == .exited(code: 0), "\(output)")
        #expect(stack.version == "1\n", "\(output)")
        #expect(output.contains("has changed since the run began"))
        try #expect(stack.left() == [])
    }

    @Test(arguments: forms)
    func scriptsThatTheChangeRemovedRunAsTheyWere(_ form: Form) throws {
        let stack = try Stack(form)
        for name in form.files.keys where !name.hasPrefix("docker/") {
            try? FileManager.default.removeItem(at: stack.folder.appending(path: String(name.split(separator: "/")[0])))
        }
        // Once an operation has begun, a second preflight (as after a resume) does not replace what was kept before it.
        try #expect(stack.session.run(stack.host.start("r-1.step", "true")).record.outcome == .exited(code: 0))
        _ = try stack.preflight(form.keeps)
        for id in ["once", "again"] as [OperationID] {
            try stack.write("VERSION", "2\n")
            let (record, output) = try stack.goBack(id)
            #expect(record.outcome == .exited(code: 0), "\(output)")
            #expect(stack.version == "1\n", "\(output)")
        }
        try #expect(stack.left() == [])
    }

    @Test(arguments: forms)
    func scriptsThatDidNotChangeRunInPlace(_ form: Form) throws {
        let stack = try Stack(form)
        let (record, output) = try stack.goBack("op")
        #expect(record.outcome == .exited(code: 0) && stack.version == "1\n", "\(output)")
        #expect(!output.contains("lockflight:"), "\(output)")
    }

    @Test func aLinkThatTheChangeRetargetsStillLeadsWhereItDid() throws {
        let form = try #require(WayBackTests.forms.first { $0.name == "a link to its script elsewhere" })
        let stack = try Stack(form)
        try stack.write("releases/2/go.sh", "#!/bin/bash\necho wrong > \(stack.folder.path)/VERSION\n")
        try FileManager.default.removeItem(at: stack.folder.appending(path: "scripts/go.sh"))
        try stack.write("scripts/go.sh", "-> ../releases/2/go.sh")
        let (_, output) = try stack.goBack("op")
        #expect(stack.version == "1\n", "\(output)")
    }

    /// If an operator repairs a script before any change, the rollback uses the repaired script.
    @Test func untilSomethingHasBegunTheLastPreflightCounts() throws {
        let stack = try Stack(WayBackTests.forms[0])
        try stack.write("scripts/go.sh", WayBackTests.goBack + "# repaired\n")
        _ = try stack.preflight([])
        try #expect(stack.session.run(stack.host.start("r-1.step", "true")).record.outcome == .exited(code: 0))
        try stack.write("scripts/go.sh", "#!/bin/bash\nexit 9\n")
        _ = try stack.preflight([])
        let (record, output) = try stack.goBack("op")
        #expect(record.outcome == .exited(code: 0) && stack.version == "1\n", "\(output)")
    }

    /// A word that only looks like a kept folder does not refer to it.
    @Test func wordsOfOtherCommandsAreNotReplaced() throws {
        let stack = try Stack(WayBackTests.forms[0])
        try stack.write("scripts/go.sh", "#!/bin/bash\nexit 9\n")
        let guardrail = WayBackTests.command("test", "scripts", "=", "scripts")
        let (record, output) = try stack.goBack("op", guardrails: [guardrail])
        #expect(record.outcome == .exited(code: 0) && stack.version == "1\n", "\(output)")
        let split = WayBackTests.command("sh", "-c", "[ $0 = scripts ]", "scripts")
        try #expect(stack.goBack("again", guardrails: [split]).record.outcome != .notStarted(detail: ""))
    }

    @Test func aScriptThatFailedRunsInPlaceOnceSomebodyChangedIt() throws {
        let stack = try Stack(
            Form(
                name: "fails", files: ["scripts/go.sh": "#!/bin/bash\nexit 3\n"],
                command: WayBackTests.command("./scripts/go.sh", "1")))
        try stack.write("scripts/go.sh", "#!/bin/bash\necho wrong > \(stack.folder.path)/VERSION\n")
        for id in ["first", "second"] as [OperationID] {
            try #expect(stack.goBack(id).record.outcome == .exited(code: 3))
        }
        try stack.write("scripts/go.sh", WayBackTests.goBack)
        let (record, output) = try stack.goBack("repaired")
        #expect(record.outcome == .exited(code: 0) && stack.version == "1\n", "\(output)")
        #expect(output.contains("was changed after it had failed"))
    }

    @Test func ownersAndModesOfKeptFilesArePreserved() throws {
        let script =
            "#!/bin/bash\nstat -c '%a %u' \"$(dirname \"$0\")\" \"$(dirname \"$0\")/data\" > \"$(dirname \"$0\")/../VERSION\"\n"
        let form = Form(
            name: "owner", files: ["scripts/go.sh": script, "scripts/data": "x"],
            command: WayBackTests.command("./scripts/go.sh"))
        let stack = try Stack(form)
        let folder = stack.folder.appending(path: "scripts").path
        let owner = getuid() == 0 ? 12_345 : getuid()
        chmod(folder, 0o710)
        chmod(folder + "/data", 0o640)
        if getuid() == 0 { chown(folder + "/data", owner, owner) }
        _ = try stack.preflight([])
        try stack.write("scripts/go.sh", "#!/bin/bash\nexit 9\n")
        let (_, output) = try stack.goBack("op")
        #expect(stack.version == "710 \(getuid())\n640 \(owner)\n", "\(output)")
    }

    @Test func aWorkingDirectoryNamedByALinkIsResolvedAsItWasBefore() throws {
        let host = try HostUnderTest()
        for release in ["5", "6"] {
            try FileManager.default.createDirectory(
                at: host.folder.appending(path: "releases/\(release)/scripts"), withIntermediateDirectories: true)
        }
        let current = host.folder.appending(path: "current")
        try FileManager.default.createSymbolicLink(atPath: current.path, withDestinationPath: "releases/6")
        let script = "cd \"$(dirname \"$0\")/..\" && ln -sfn releases/5 ../current && echo \"$1\" > ../VERSION\n"
        try host.write("releases/6/scripts/go.sh", script)
        let command = ScriptCommand(arguments: ["bash", "./scripts/go.sh", "1"], timeoutSeconds: 10)
        let session = try host.session()
        _ = try session.ask(
            .preflight(
                PreflightRequest(
                    run: "r-1", workingDirectory: current.path, commands: [command], requires: [], preserve: [],
                    keeps: [KeepOrder(command: command)])))
        try host.write("releases/6/scripts/go.sh", "exit 9\n")
        var request = host.start("op", command, usesPreservedScript: true)
        request.workingDirectory = current.path
        let (record, output) = try session.run(request)
        #expect(record.outcome == .exited(code: 0) && record.copyVanished == nil, "\(output)")
        let names = try FileManager.default.contentsOfDirectory(atPath: host.folder.path + "/releases/6")
        #expect(names == ["scripts"])
    }

    /// Only the library changed: without a copy the old script would load the new library.
    @Test func aChangedLibraryIsPlacedWithItsScript() throws {
        let form = try #require(WayBackTests.forms.first { $0.name == "a sourced library" })
        let stack = try Stack(form)
        try stack.write("scripts/lib/common.sh", "go() { echo wrong > VERSION; }\n")
        let (_, output) = try stack.goBack("op")
        #expect(stack.version == "1\n" && output.contains("common.sh has changed"), "\(output)")
    }

    @Test func guardrailsOfTheWayBackRunAsTheyWere() throws {
        let stack = try Stack(WayBackTests.forms[0])
        try stack.write("checks/guard.sh", "#!/bin/bash\n[ -e \"$(dirname \"$0\")/../VERSION\" ]\n")
        let guardrail = WayBackTests.command("./checks/guard.sh")
        _ = try stack.session.ask(
            .preflight(
                PreflightRequest(
                    run: "r-1", workingDirectory: stack.folder.path, commands: [], requires: [], preserve: [],
                    keeps: [KeepOrder(command: guardrail)])))
        try stack.write("checks/guard.sh", "#!/bin/bash\nexit 1\n")
        let (record, output) = try stack.goBack("op", guardrails: [guardrail])
        #expect(record.outcome == .exited(code: 0) && stack.version == "1\n", "\(output)")
        try #expect(stack.left() == [])
    }

    /// Git can switch the folder that the copy replaces, and sees a clean tree while the copy is there.
    @Test func aCheckoutThatAsksForACleanTreeGoesBack() throws {
        let script = """
            #!/bin/bash
            set -e
            cd "$(dirname "$0")/.."
            [ -z "$(git status --porcelain)" ] || { git status --porcelain; exit 7; }
            git clean -fdq
            git checkout -q v1

            """
        let stack = try Stack(
            Form(
                name: "git", files: ["scripts/go.sh": script, ".gitignore": "myscripts\n"],
                command: WayBackTests.command("./scripts/go.sh")))
        func git(_ words: String...) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["git", "-C", stack.folder.path, "-c", "user.name=t", "-c", "user.email=t@t"] + words
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw Surprise("git \(words)") }
        }
        try git("init", "-q")
        try stack.write("VERSION", "1\n")
        try git("add", "-A")
        try git("commit", "-qm", "1")
        try git("tag", "v1")
        try stack.write("VERSION", "2\n")
        try stack.write("scripts/go.sh", "#!/bin/bash\nexit 9\n")
        try git("commit", "-qam", "2")
        let exclude = stack.folder.appending(path: ".git/info/exclude")
        let before = try Data(contentsOf: exclude)
        let (record, output) = try stack.goBack("op")
        #expect(record.outcome == .exited(code: 0) && stack.version == "1\n", "\(output)")
        #expect(record.copyVanished == nil)
        #expect(try Data(contentsOf: exclude) == before)
        try #expect(stack.left() == [])
    }

    @Test func aCopyThatIsRemovedWhileItRunsIsReported() throws {
        let script = "#!/bin/bash\nrm -rf \"$(dirname \"$0\")\"\nexit 3\n"
        let stack = try Stack(
            Form(name: "gone", files: ["scripts/go.sh": script], command: WayBackTests.command("./scripts/go.sh")))
        try stack.write("scripts/go.sh", "#!/bin/bash\nexit 9\n")
        let (record, output) = try stack.goBack("op")
        #expect(record.outcome == .exited(code: 3) && record.copyVanished == true)
        #expect(output.contains("was removed while it ran"))
    }

    @Test func leftoversOfAKilledSupervisorAreRemovedBeforeTheNextOperation() throws {
        let stack = try Stack(
            Form(
                name: "slow", files: ["scripts/go.sh": "#!/bin/bash\necho $$ > ../../script.pid\nexec sleep 60\n"],
                command: WayBackTests.command("./go.sh", in: "scripts")))
        try stack.write("scripts/go.sh", "#!/bin/bash\nexit 9\n")
        var request = stack.host.start("killed", stack.command, usesPreservedScript: true)
        request.workingDirectory = stack.folder.path
        try stack.session.begin(request)
        let deadline = ContinuousClock.now + .seconds(30)
        while stack.host.lines(of: "script.pid").isEmpty, ContinuousClock.now < deadline { usleep(5_000) }
        let script = try #require(stack.host.lines(of: "script.pid").first.flatMap { Int32($0) })
        let supervisor = try #require(try stack.host.supervisorPID(of: "killed"))
        kill(supervisor, SIGKILL)
        // The copy stays while the script is running.
        let (record, _) = try stack.session.follow("killed")
        guard case .interrupted = record.outcome else { throw Surprise("\(record.outcome)") }
        try #expect(!stack.left().isEmpty)
        kill(script, SIGKILL)
        while kill(script, 0) == 0, ContinuousClock.now < deadline { usleep(5_000) }
        let plain = WayBackTests.command("true")
        #expect(try stack.session.run(stack.host.start("next", plain)).record.outcome == .exited(code: 0))
        try #expect(stack.left() == [])
    }

    @Test func moreFilesThanCanBeKeptAreReportedBeforeTheChange() throws {
        let host = try HostUnderTest()
        let scripts = host.folder.appending(path: "scripts")
        try FileManager.default.createDirectory(at: scripts, withIntermediateDirectories: true)
        for number in 0...AgentLimits.keptFiles { try host.write("scripts/f\(number)", "") }
        try host.write("scripts/go.sh", "true\n")
        let command = ScriptCommand(arguments: ["sh", "./scripts/go.sh"], timeoutSeconds: 5)
        let reply = try host.session().ask(
            .preflight(
                PreflightRequest(
                    run: "r-1", workingDirectory: host.folder.path, commands: [command], requires: [], preserve: [],
                    keeps: [KeepOrder(command: command)])))
        guard case .preflight(let found) = reply else { throw Surprise("\(reply)") }
        #expect(found.missingScripts.count == 1)
        #expect(found.missingScripts.first?.contains("rollback.keeps") == true, "\(found.missingScripts)")
        // For a guardrail only its script is kept.
        let session = try host.session()
        let guarding = try session.ask(
            .preflight(
                PreflightRequest(
                    run: "r-1", workingDirectory: host.folder.path, commands: [command], requires: [], preserve: [],
                    keeps: [KeepOrder(command: command, scriptWillDo: true)])))
        guard case .preflight(let guarded) = guarding else { throw Surprise("\(guarding)") }
        #expect(guarded.missingScripts == [])
        try host.write("scripts/go.sh", "exit 9\n")
        let (record, output) = try session.run(host.start("op", command, usesPreservedScript: true))
        #expect(record.outcome == .exited(code: 0), "\(output)")
    }

    /// `inventory check --plan` tests what a preflight would keep, and leaves nothing behind.
    @Test func keepingFilesCanBeTriedWithoutARun() throws {
        let host = try HostUnderTest()
        let scripts = host.folder.appending(path: "scripts")
        try FileManager.default.createDirectory(at: scripts, withIntermediateDirectories: true)
        try host.write("scripts/go.sh", "true\n")
        let command = ScriptCommand(arguments: ["sh", "./scripts/go.sh"], timeoutSeconds: 5)
        func tried(_ orders: [KeepOrder]) throws -> [String] {
            let request = PreflightRequest(
                run: nil, workingDirectory: host.folder.path, commands: [command], requires: [], preserve: [],
                keeps: orders)
            let reply = try host.session(epoch: nil).ask(.preflight(request))
            guard case .preflight(let found) = reply else { throw Surprise("\(reply)") }
            return found.missingScripts
        }
        #expect(try tried([KeepOrder(command: command), KeepOrder(command: command, paths: ["scripts"])]) == [])
        #expect(try tried([KeepOrder(command: command, paths: ["ops"])]).first?.contains("ops (not there)") == true)
        for number in 0...AgentLimits.keptFiles { try host.write("scripts/f\(number)", "") }
        #expect(
            try tried([KeepOrder(command: command)]).first?.contains("name what it needs with rollback.keeps") == true)
        #expect(!FileManager.default.fileExists(atPath: host.state.appending(path: "preserved").path))
    }

    /// A kept path that no command names would not be used: the new version would run unnoticed.
    @Test(arguments: [
        (["make", "rollback"], nil, false), (["sh", "-c", "make rollback"], nil, false),
        (["sh", "-c", "make -C ops rollback"], nil, true), (["make", "-f", "ops/Makefile", "rollback"], nil, true),
        (["sh", "-c", "make rollback"], "ops", true), (["/usr/bin/env", "true"], nil, false),
    ])
    func keptPathsMustBeNamedByTheCommand(_ arguments: [String], _ directory: String?, _ isTaken: Bool) throws {
        let host = try HostUnderTest()
        try FileManager.default.createDirectory(
            at: host.folder.appending(path: "ops"), withIntermediateDirectories: true)
        try host.write("ops/Makefile", "rollback:\n\ttrue\n")
        let command = ScriptCommand(arguments: arguments, workingDirectory: directory, timeoutSeconds: 5)
        let request = PreflightRequest(
            run: "r-1", workingDirectory: host.folder.path, commands: [], requires: [], preserve: [],
            keeps: [KeepOrder(command: command, paths: ["ops"])])
        guard case .preflight(let found) = try host.session().ask(.preflight(request)) else {
            throw Surprise("no answer")
        }
        #expect(found.missingScripts.isEmpty == isTaken, "\(found.missingScripts)")
        if !isTaken { #expect(found.missingScripts[0].contains("which names none of these files as its script")) }
    }

    @Test(arguments: ["/etc", "..", "scripts/../..", ".", ""])
    func pathsOutsideTheWorkingDirectoryAreNotKept(path: String) throws {
        let host = try HostUnderTest()
        let order = KeepOrder(command: WayBackTests.command("true"), paths: [path])
        let request = PreflightRequest(
            run: "r-1", workingDirectory: host.folder.path, commands: [], requires: [], preserve: [], keeps: [order])
        #expect(try host.session().refusal(.preflight(request)) == .malformed)
    }
}
