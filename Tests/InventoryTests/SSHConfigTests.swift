import FileReading
import Foundation
import Inventory
import Testing
import UpgradeDomain

/// Tests how the output of `ssh -G` is used.
@Suite("ssh_config")
struct SSHConfigTests {
    /// The defaults as OpenSSH 9.2 prints them, shortened.
    static let defaults = """
        user me
        hostname defaults.invalid
        port 22
        addressfamily any
        pubkeyauthentication true
        ciphers chacha20-poly1305@openssh.com,aes128-ctr
        macs umac-64-etm@openssh.com
        kexalgorithms curve25519-sha256
        hostkeyalgorithms ssh-ed25519
        pubkeyacceptedalgorithms ssh-ed25519
        securitykeyprovider internal
        identityfile ~/.ssh/id_rsa
        identityfile ~/.ssh/id_ed25519

        """

    /// The defaults with the given lines in place of those of the same options.
    static func answer(_ lines: [String]) -> SSHConfigAnswer {
        let names = Set(lines.map { $0.prefix { $0 != " " } })
        let kept = defaults.split(separator: "\n").filter { line in
            !names.contains(line.prefix { $0 != " " }) && !line.hasPrefix("hostname ")
        }
        return SSHConfigAnswer((kept.map(String.init) + lines).joined(separator: "\n") + "\n")
    }

    static func answers(_ hosts: [HostName: [String]], configFile: String? = nil) -> SSHConfigAnswers {
        SSHConfigAnswers(
            configFile: configFile, defaults: SSHConfigAnswer(defaults), hosts: hosts.mapValues(answer))
    }

    /// A host `a` without options, and another host.
    static func file(a: String = "", b: String = "", root: String = "") -> String {
        """
        version: 1
        \(root)
        layers: [{name: core, owners: [ana]}]
        defaults: {workingDirectory: /srv, baseURL: "http://127.0.0.1:1"}
        hosts:
          - {name: a, address: alias-a, layers: [core]\(a)}
          - {name: b, address: 192.0.2.2, user: bo, layers: [core]\(b)}
          - {name: c, address: 192.0.2.3, user: cy, layers: [core]}
        """
    }

    static func read(
        _ answers: SSHConfigAnswers, _ text: String = file()
    ) throws -> [HostName: UpgradeDomain.Host] {
        let inventory = try InventoryFile.read(text: text, file: "f").resolved(by: answers)
        return Dictionary(uniqueKeysWithValues: inventory.hosts.map { ($0.name, $0) })
    }

    // MARK: The query

    @Test func anEntrysOptionsArePassedToSSH() throws {
        let draft = InventoryFile.read(
            text: SSHConfigTests.file(a: ", port: 2222, user: ops", root: "sshConfig: ./ssh"), file: "f")
        #expect(draft.sshConfig == "./ssh")
        let questions = draft.questions(configFile: "/etc/x")
        #expect(questions.map(\.host) == ["a", "b", "c"])
        #expect(
            questions[0].arguments == ["-T", "-G", "-F", "/etc/x", "-p", "2222", "-l", "ops", "--", "alias-a"])
        #expect(questions[1].arguments == ["-T", "-G", "-F", "/etc/x", "-l", "bo", "--", "192.0.2.2"])
        #expect(draft.questions(configFile: nil)[1].arguments == ["-T", "-G", "-l", "bo", "--", "192.0.2.2"])
        #expect(draft.questions(configFile: "none").isEmpty)
    }

    // MARK: Options that are used

    @Test func withoutSSHConfigOpenSSHsDefaultsApplyAndNothingIsStored() throws {
        for answers in [SSHConfigTests.answers([:]), SSHConfigTests.answers(["a": ["hostname ALIAS-A"], "b": []])] {
            let hosts = try SSHConfigTests.read(answers)
            let host = try #require(hosts["a"])
            #expect(host.user == "me" && host.port == 22 && host.address == "alias-a")
            #expect(host.identityFile == nil && host.jump == nil && host.ssh == nil)
            #expect(hosts["b"]?.user == "bo")
        }
    }

    @Test func optionsMissingInTheEntryComeFromSSHConfig() throws {
        let answers = SSHConfigTests.answers(
            [
                "a": [
                    "hostname 192.0.2.9", "port 2200", "user deploy", "hostkeyalias rack-a", "identityfile ~/.ssh/a b",
                    "identityfile /k/%h-%n-%p-%r-%u-%k-%%", "identityfile %d/c",
                ]
            ], configFile: "/etc/x")
        let host = try #require(try SSHConfigTests.read(answers)["a"])
        let files = ["~/.ssh/a b", "/k/192.0.2.9-alias-a-2200-deploy-me-rack-a-%", "~/c"]
        #expect(host.address == "192.0.2.9" && host.port == 2_200 && host.user == "deploy")
        #expect(host.identityFile == files[0] && host.identityFiles == files)
        #expect(
            host.ssh
                == SSHSettings(
                    alias: "alias-a", configFile: "/etc/x", identityFiles: files, hostKeyAlias: "rack-a"))
    }

    @Test func theEntryOverridesSSHConfig() throws {
        let answers = SSHConfigTests.answers([
            "a": [
                "hostname 192.0.2.9", "port 2200", "user deploy", "identityfile /k", "proxyjump b",
                "certificatefile /k-cert.pub",
            ]
        ])
        let text = SSHConfigTests.file(a: ", port: 22, user: ops, identityFile: /mine, jump: c")
        let host = try #require(try SSHConfigTests.read(answers, text)["a"])
        #expect(host.port == 22 && host.user == "ops" && host.identityFiles == ["/mine"] && host.jump == "c")
        #expect(host.ssh == SSHSettings(alias: "alias-a", notHonoured: ["CertificateFile"]))
        let proxied = SSHConfigTests.answers(["a": ["proxycommand nc %h %p"]])
        #expect(try SSHConfigTests.read(proxied, text)["a"]?.ssh?.notHonoured == ["ProxyCommand"])
    }

    // MARK: Options that are not supported

    static let options: [(line: String, name: String, isRefused: Bool, isReplaced: Bool)] = [
        ("proxycommand nc %h %p", "ProxyCommand", true, false),
        ("certificatefile ~/c", "CertificateFile", true, false),
        ("pkcs11provider /x.so", "PKCS11Provider", true, false),
        ("securitykeyprovider /y.so", "SecurityKeyProvider", false, false),
        ("identityagent none", "IdentityAgent", false, false),
        ("pubkeyauthentication false", "PubkeyAuthentication", false, false),
        ("addressfamily inet6", "AddressFamily", false, false),
        ("bindaddress 127.0.0.1", "BindAddress", false, false),
        ("bindinterface lo", "BindInterface", false, false),
        ("ciphers aes256-ctr", "Ciphers", false, false),
        ("macs hmac-sha2-256", "MACs", false, false),
        ("kexalgorithms ecdh-sha2-nistp256", "KexAlgorithms", false, false),
        ("hostkeyalgorithms ssh-rsa", "HostKeyAlgorithms", false, false),
        ("pubkeyacceptedalgorithms ssh-rsa", "PubkeyAcceptedAlgorithms", false, false),
        ("preferredauthentications password", "PreferredAuthentications", false, false),
        ("requiredrsasize 4096", "RequiredRSASize", false, false),
        ("revokedhostkeys /r", "RevokedHostKeys", false, false),
        ("setenv A=b", "SetEnv", false, false),
        ("identityfile none", "IdentityFile", false, false),
        ("knownhostscommand /x %H", "KnownHostsCommand", false, true),
        ("userknownhostsfile /dev/null", "UserKnownHostsFile", false, true),
        ("globalknownhostsfile /g", "GlobalKnownHostsFile", false, true),
        ("remotecommand tmux", "RemoteCommand", false, true),
    ]

    @Test(arguments: options.indices)
    func anOptionThatIsNotFollowedIsNamed(_ index: Int) throws {
        let (line, name, isRefused, isReplaced) = SSHConfigTests.options[index]
        let answers = SSHConfigTests.answers(["a": [line]])
        let problems = Examples.problems(inventory: SSHConfigTests.file(), answers)
        #expect(problems.count == (isRefused ? 1 : 0), "\(problems)")
        if let problem = problems.first {
            #expect(problem.line == SSHConfigTests.file().line(of: "name: a"))
            #expect(problem.message.contains("host a the option \(name)"))
            #expect(problem.remedy.contains("'transport: openssh'"))
        } else {
            #expect(try SSHConfigTests.read(answers)["a"]?.ssh == SSHSettings(notHonoured: [name]))
        }
        let over = try SSHConfigTests.read(answers, SSHConfigTests.file(a: ", transport: openssh"))
        #expect(over["a"]?.ssh?.notHonoured ?? [] == (isReplaced ? [name] : []))
    }

    @Test(arguments: ["/k/%C", "${HOME}/k", "/k/%"])
    func anIdentityFileThatIsNotExpandedIsRefusedAndNotGuessed(_ path: String) {
        let answers = SSHConfigTests.answers(["a": ["identityfile \(path)"]])
        let problems = Examples.problems(inventory: SSHConfigTests.file(), answers)
        #expect(problems.map(\.message).joined().contains("IdentityFile \(path) of host a"))
        #expect(Examples.problems(inventory: SSHConfigTests.file(a: ", transport: openssh"), answers).isEmpty)
    }

    // MARK: Jumps

    static let ways: [(way: String, b: String, jump: HostName?, problem: String)] = [
        ("b", "", "b", ""),
        ("bo@192.0.2.2:22", "", "b", ""),
        ("ssh://bo@192.0.2.2:22", "", "b", ""),
        ("[192.0.2.2]:22", "", "b", ""),
        ("c,b", ", jump: c", "b", ""),
        ("c,b", "", nil, "through c and then b, but the path to b is direct"),
        ("x,b", ", jump: c", nil, "through x and then b, but the path to b is through c"),
        ("bo@192.0.2.2:2222", "", nil, "through bo@192.0.2.2:2222, which is not a host of this file"),
        ("eve@b", "", nil, "through eve@b, which is not a host"),
        ("nowhere", "", nil, "through nowhere, which is not a host of this file"),
        ("a", "", nil, "host a jumps through a, which is a loop"),
        ("b", ", jump: a", nil, "host a jumps through b, then a, which is a loop"),
    ]

    @Test(arguments: ways.indices)
    func proxyJumpIsAHostOfTheInventory(_ index: Int) throws {
        let (way, b, jump, words) = SSHConfigTests.ways[index]
        let answers = SSHConfigTests.answers(["a": ["proxyjump \(way)"]])
        let text = SSHConfigTests.file(b: b)
        let problems = Examples.problems(inventory: text, answers)
        if let jump {
            #expect(problems.isEmpty, "\(problems)")
            let host = try #require(try SSHConfigTests.read(answers, text)["a"])
            #expect(host.jump == jump && host.ssh == SSHSettings(proxyJump: way))
        } else {
            let problem = try #require(problems.first { $0.message.contains(words) }, "\(problems)")
            #expect(problem.line == text.line(of: "name: a") && !problem.remedy.isEmpty)
            // OpenSSH would connect, but without checking any pinned key.
            let over = SSHConfigTests.file(a: ", transport: openssh", b: b)
            #expect(Examples.problems(inventory: over, answers).contains { $0.message == problem.message })
        }
    }

    @Test func aHostThatOnlySSHConfigJumpsThroughNeedsNoLayer() throws {
        let text = SSHConfigTests.file().replacing("user: bo, layers: [core]", with: "user: bo, layers: []")
        let alone = Examples.problems(inventory: text, SSHConfigTests.answers([:]))
        #expect(alone.map(\.message) == ["host b is in no layer"])
        #expect(Examples.problems(inventory: text, SSHConfigTests.answers(["a": ["proxyjump b"]])).isEmpty)
    }

    // MARK: Complete inventories

    @Test func everyProblemOfFileAndSSHConfigIsReportedAtOnce() {
        let answers = SSHConfigTests.answers(["a": ["proxycommand x"], "b": ["hostname 192.0.2.3"]])
        let text = SSHConfigTests.file(b: ", port: 22").replacing("owners: [ana]", with: "owner: [ana]")
        let messages = Examples.problems(inventory: text, answers).map(\.message)
        for words in ["no key 'owner'", "the option ProxyCommand", "hosts b and c have the same address and port"] {
            #expect(messages.contains { $0.contains(words) }, "\(words): \(messages)")
        }
    }

    @Test func errorsOfABrokenSSHConfigAreReportedOnce() {
        var answers = SSHConfigTests.answers([:])
        answers.failures = ["a": "line 3: Bad option", "b": "line 3: Bad option", "c": "it took longer"]
        let problems = Examples.problems(inventory: SSHConfigTests.file(), answers)
        #expect(
            problems.map(\.message) == [
                "ssh -G gives no answer for host a, and for 1 more: line 3: Bad option",
                "ssh -G gives no answer for host c: it took longer",
            ])
    }

    @Test func anImportSaysWhatChangedInSSHConfigAndOlderInventoriesAreRead() throws {
        let text = SSHConfigTests.file()
        let draft = InventoryFile.read(text: text, file: "f")
        let old = try draft.resolved(by: SSHConfigTests.answers([:]))
        let stored = String(decoding: try JSONEncoder().encode(old), as: UTF8.self)
        #expect(!stored.contains("\"ssh\"") && !stored.contains("transport"))
        #expect(try JSONDecoder().decode(FleetInventory.self, from: Data(stored.utf8)) == old)
        let lines = [
            "hostname h", "hostkeyalias k", "identityfile /1", "identityfile /2", "proxyjump b", "ciphers aes256-ctr",
        ]
        let new = try draft.resolved(by: SSHConfigTests.answers(["a": lines], configFile: "/x"))
        #expect(try JSONDecoder().decode(FleetInventory.self, from: try JSONEncoder().encode(new)) == new)
        let changes = InventoryDifference(from: old, to: new).changes.filter { $0.hasPrefix("host a: ") }
        #expect(
            changes.map { $0.dropFirst(8) } == [
                "address alias-a -> h", "jump none -> b", "identityFile none -> /1", "alias none -> alias-a",
                "sshConfig default -> /x", "IdentityFile none -> /1, /2", "HostKeyAlias none -> k",
                "ProxyJump none -> b", "not honoured none -> Ciphers",
            ])
        #expect(InventoryDifference(from: new, to: new).changes.isEmpty)
    }
}
