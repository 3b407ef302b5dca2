import Foundation
import Glibc
import LabFleet
import Testing
import UpgradeDomain

/// Tests an operator's ssh_config with the real `ssh` and the real commands.
@Suite("An operator's ssh_config")
struct OperatorSSHConfigTests {
    /// The user who logs into the hosts of a lab: the user who started it.
    private let user = NSUserName()

    /// The lab's inventory without the options that ssh_config provides; its first host is named by an alias.
    private func inventory(of fixture: FleetFixture, _ change: (String) -> String = { $0 }) throws -> String {
        let first = try #require(fixture.lab.hosts.first)
        let text = try String(contentsOfFile: fixture.lab.inventoryPath, encoding: .utf8)
        let kept = text.split(separator: "\n").filter { line in
            !["  user:", "  port:", "  identityFile:", "defaults:"].contains { line.hasPrefix($0) }
        }
        let named = kept.joined(separator: "\n").replacing("sshConfig: none ", with: "sshConfig: ssh_config ")
            .replacing("address: \(first.address)\n", with: "address: rack-1\n")
        let path = "\(fixture.folder)/fleet.yaml"
        try (change(named) + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// The options for the lab's hosts and for the alias of the first one.
    private func writeConfig(of fixture: FleetFixture, alias lines: [String] = []) throws {
        let first = try #require(fixture.lab.hosts.first)
        let network = first.address.split(separator: ".").dropLast().joined(separator: ".")
        let config = """
            Host rack-1
              HostName \(first.address)
              HostKeyAlias rack-one
              \(lines.joined(separator: "\n  "))
            Host rack-1 \(network).*
              Port \(first.sshPort)
              User \(user)
              IdentityFile \(fixture.folder)/absent
              IdentityFile \(fixture.lab.identityPath)

            """
        try config.write(toFile: "\(fixture.folder)/ssh_config", atomically: true, encoding: .utf8)
    }

    @Test("an alias with HostName, Port, User, IdentityFile and HostKeyAlias is resolved, shown, pinned and reached")
    func alias() async throws {
        try await FleetFixture.with { fixture in
            let first = try #require(fixture.lab.hosts.first)
            try writeConfig(of: fixture, alias: ["Ciphers aes256-ctr"])
            let path = try inventory(of: fixture)
            let imported = try await fixture.expect(.verified, "inventory", "import", "--allow-ssh-config", path)
            #expect(
                imported.errors.contains("ssh_config sets options that are not honoured: Ciphers, for \(first.name);"),
                "\(imported.errors)")
            let again = try await fixture.expect(.verified, "inventory", "import", "--allow-ssh-config", path)
            #expect(again.output == "nothing changed\n")

            let shown = try await fixture.expect(.verified, "inventory", "show", "\(first.name)")
            for row in [
                "address +\(first.address)", "port +\(first.sshPort)", "user +\(user)",
                "identityFile +\(fixture.folder)/absent, \(fixture.lab.identityPath)",
                "ssh_config +\(fixture.folder)/ssh_config", "ssh alias +rack-1", "HostKeyAlias +rack-one",
                "not honoured +Ciphers",
            ] {
                #expect(shown.output.contains(try Regex("(?m)^\(row) *$")), "\(row):\n\(shown.output)")
            }

            let place = "[\(first.address)]:\(first.sshPort)"
            let known = try String(contentsOfFile: fixture.lab.knownHostsPath, encoding: .utf8)
            try known.replacing(place, with: "rack-one").write(
                toFile: "\(fixture.folder)/known_hosts", atomically: true, encoding: .utf8)
            try await fixture.expect(
                .verified, "inventory", "trust", "--replace", "--known-hosts", "\(fixture.folder)/known_hosts")
            try await fixture.expect(.verified, "inventory", "check")
        }
    }

    @Test("ProxyCommand is refused with the option, the line and the remedies, and taken over OpenSSH's own client")
    func proxyCommand() async throws {
        try await FleetFixture.with { fixture in
            let first = try #require(fixture.lab.hosts.first)
            try writeConfig(
                of: fixture, alias: ["ProxyCommand python3 \(fixture.folder)/pass.py %h %p", "RemoteCommand false"])
            let path = try inventory(of: fixture)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let line = try #require(text.split(separator: "\n").firstIndex { $0.hasSuffix("name: \(first.name)") }) + 1
            let refused = try await fixture.expect(.refused, "inventory", "import", "--allow-ssh-config", path)
            #expect(
                refused.errors.contains(
                    """
                    fleet.yaml:\(line): ssh_config gives host \(first.name) the option ProxyCommand, and libssh2 can not run \
                    a proxy command; write 'transport: openssh' in its entry, or 'jump: HOST'
                    """), "\(refused.errors)")

            // It leaves a mark, which shows how the login was made.
            let pass = """
                import os, socket, sys, threading
                open(os.path.join(os.path.dirname(sys.argv[0]), "passed"), "w").close()
                peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
                def send():
                    while piece := os.read(0, 65536):
                        peer.sendall(piece)
                    peer.shutdown(socket.SHUT_WR)
                threading.Thread(target=send, daemon=True).start()
                while piece := peer.recv(65536):
                    os.write(1, piece)
                """
            try pass.write(toFile: "\(fixture.folder)/pass.py", atomically: true, encoding: .utf8)
            let other = try inventory(of: fixture) {
                $0.replacing("address: rack-1\n", with: "address: rack-1\n    transport: openssh\n")
            }
            try await fixture.expect(.verified, "inventory", "import", "--allow-ssh-config", other)
            try await fixture.expect(.verified, "inventory", "check", "\(first.name)")
            #expect(FileManager.default.fileExists(atPath: "\(fixture.folder)/passed"))
        }
    }

    @Test("an ssh_config that an inventory names runs no commands unless that is requested")
    func foreign() async throws {
        try await FleetFixture.with { fixture in
            let mark = "\(fixture.folder)/ran"
            try writeConfig(of: fixture, alias: ["Match exec \"touch \(mark)\""])
            let path = try inventory(of: fixture)
            let refused = try await fixture.expect(.refused, "inventory", "import", path)
            #expect(refused.errors.contains("names the ssh_config \(fixture.folder)/ssh_config"), "\(refused.errors)")
            #expect(!FileManager.default.fileExists(atPath: mark))
            let next = try #require(refused.errors.split(separator: "\n").last?.split(separator: "next: ").last)
            #expect(try await fixture.runVerbatim(String(next)).code == FleetFixture.Exit.verified.rawValue)
            #expect(FileManager.default.fileExists(atPath: mark))
        }
    }

    @Test("ProxyJump uses a host of the inventory; any other jump host is refused with the remedy")
    func proxyJump() async throws {
        try await FleetFixture.with { fixture in
            let hosts = fixture.lab.hosts
            try writeConfig(of: fixture, alias: ["ProxyJump \(user)@\(hosts[1].address):\(hosts[1].sshPort)"])
            let path = try inventory(of: fixture)
            try await fixture.expect(.verified, "inventory", "import", "--allow-ssh-config", path)
            let shown = try await fixture.expect(.verified, "inventory", "show", "\(hosts[0].name)", "--json")
            #expect(try shown.document().value(at: "/jump")?.scalarText == hosts[1].name.rawValue)
            try await fixture.expect(.verified, "inventory", "check", "\(hosts[0].name)")

            try writeConfig(of: fixture, alias: ["ProxyJump gate.example"])
            let refused = try await fixture.expect(.refused, "inventory", "import", "--allow-ssh-config", path)
            #expect(
                refused.errors.contains(
                    "through gate.example, which is not a host of this file; add a host entry for it, and write 'jump: NAME'"
                ),
                "\(refused.errors)")
        }
    }

    @Test("an ssh_config that OpenSSH cannot read is reported once, with OpenSSH's message")
    func broken() async throws {
        try await FleetFixture.with { fixture in
            let path = try inventory(of: fixture)
            let refused = try await fixture.expect(.refused, "inventory", "import", "--allow-ssh-config", path)
            #expect(refused.errors.contains("Can't open user config file \(fixture.folder)/ssh_config"))
            #expect(refused.errors.contains(", and for 2 more: "), "\(refused.errors)")
        }
    }

    @Test("a command of ssh_config ends with the import that ran it, however that ends", arguments: [SIGKILL, SIGINT])
    func ended(_ signal: Int32) async throws {
        try await FleetFixture.with { fixture in
            let file = "\(fixture.folder)/hung"
            try writeConfig(of: fixture, alias: ["Match exec \"echo $$ >\(file); exec sleep 600\""])
            let path = try inventory(of: fixture)
            var hung: pid_t?
            let outcome = try await fixture.withRunning("inventory", "import", "--allow-ssh-config", path) { process in
                try await fixture.wait(for: "the command to hang") {
                    let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
                    hung = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines))
                    return hung != nil
                }
                kill(process, signal)
            }
            #expect(outcome.code == 128 + signal)
            let command = try #require(hung)
            try await fixture.wait(for: "the command to end") { kill(command, 0) != 0 && errno == ESRCH }
        }
    }
}
