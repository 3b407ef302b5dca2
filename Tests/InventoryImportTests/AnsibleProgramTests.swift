import FleetAccess
import Foundation
import Inventory
import InventoryImport
import Subprocess
import SystemPackage
import TestSupport
import Testing
import UpgradeDomain

/// The operator's own Ansible, with files of every kind that it resolves by itself.
@Suite(.enabled("\(Ansible.reason)") { Ansible.isInstalled })
struct AnsibleProgramTests {
    /// A folder for inventories, removed at the end.
    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lockflight-ansible-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    private func program(password: URL? = nil) -> AnsibleProgram {
        var environment = ["PATH": Ansible.path]
        environment["ANSIBLE_VAULT_PASSWORD_FILE"] = password?.path
        return AnsibleProgram(environment: environment)
    }

    /// What an import reads: the list, with what its templates stand for.
    private func read(
        _ inventory: URL, _ program: AnsibleProgram, _ mapping: InventoryMapping? = nil
    ) async throws -> ForeignInventory {
        var list = try AnsibleList(try await program.list(inventory: inventory.path), file: inventory.lastPathComponent)
        let templates = list.templates(for: mapping)
        if !templates.isEmpty {
            try list.take(templatesResolvedIn: try await program.values(of: templates, inventory: inventory.path))
        }
        return list.inventory
    }

    private func write(_ text: String, to file: URL) throws {
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    private func vault(_ file: URL, password: URL) async throws {
        let ended = try await Subprocess.run(
            .path(FilePath("\(Ansible.folder ?? "")/ansible-vault")),
            arguments: ["encrypt", "--vault-password-file", password.path, file.path], output: .discarded,
            error: .discarded)
        try #require(ended.terminationStatus.isSuccess)
    }

    @Test func aFleetOfThePublicSizesIsImportedAsItWasMade() async throws {
        try await withFolder { folder in
            let fleet = FleetGenerator.publicSizes
            let password = folder.appending(path: "password")
            try write("secret\n", to: password)
            try fleet.write(to: folder, variableFiles: fleet.hosts, vaulted: "vaulted: x")
            for layer in FleetGenerator.layers {
                try await vault(
                    folder.appending(path: "group_vars/\(fleet.leaves(of: layer)[0]).yml"), password: password)
            }
            let inventory = folder.appending(path: "hosts.ini")
            let foreign = try await read(inventory, program(password: password))
            #expect(foreign.groups.count { !["all", "ungrouped"].contains($0.name) } == 638)
            #expect(foreign.groups.count { !$0.children.isEmpty && $0.name != "all" } == 260)
            let (mapping, names, _) = try GeneratedFleetTests.suggested(for: foreign)
            let mapped = MappedInventory(of: foreign, with: mapping)
            GeneratedFleetTests.expectAll(fleet, in: try mapped.resolved(by: GeneratedFleetTests.answers), names)
            #expect(mapped.dropped["rack"] == 737 && mapped.dropped["site"] == 737)
            #expect((mapped.dropped["vaulted"] ?? 0) > 0)
            let refused = await #expect(throws: FleetAccessError.self) { try await read(inventory, program()) }
            #expect(refused?.message.contains("no vault secrets found") == true, "\(String(describing: refused))")
        }
    }

    @Test func rangesPrecedenceTemplatesAndVaultAreAnsiblesOwn() async throws {
        try await withFolder { folder in
            let password = folder.appending(path: "password")
            try write("secret\n", to: password)
            try write(
                """
                [db]
                db[01:03] ansible_host="{{ inventory_hostname }}.{{ domain }}"
                [app]
                app-1 ansible_port='{{ ports.ssh }}'
                app-2 port_from_host=1
                [eu:children]
                db
                app
                """, to: folder.appending(path: "hosts.ini"))
            try write(
                "domain: eu.example\nports: {ssh: 2222}\nansible_user: low\n",
                to: folder.appending(path: "group_vars/eu.yml"))
            try write("ansible_user: high\n", to: folder.appending(path: "group_vars/db.yml"))
            try write("ansible_user: \"{{ hidden_user }}\"\n", to: folder.appending(path: "host_vars/app-2.yml"))
            let hidden = folder.appending(path: "group_vars/app.yml")
            try write("hidden_user: vaulted\n", to: hidden)
            try await vault(hidden, password: password)
            let map = """
                version: 1
                layers: [{name: all, owners: [ana], groups: [eu]}]
                defaults: {workingDirectory: /srv, baseURL: "http://127.0.0.1:1"}
                variables: [domain]
                """
            let mapping = try InventoryMapping.read(text: map, file: "m")
            let foreign = try await read(folder.appending(path: "hosts.ini"), program(password: password), mapping)
            let inventory = try MappedInventory(of: foreign, with: mapping).resolved(by: GeneratedFleetTests.answers)
            #expect(inventory.hosts.map(\.name) == ["db01", "db02", "db03", "app-1", "app-2"])
            #expect(inventory.hosts.map(\.user) == ["high", "high", "high", "low", "vaulted"])
            #expect(inventory.hosts[1].address == "db02.eu.example" && inventory.hosts[3].port == 2222)
            #expect(inventory.hosts[0].variables == ["domain": "eu.example"])
        }
    }

    @Test func whatAnsibleCanNotReadIsAnErrorAndNotAnEmptyFleet() async throws {
        try await withFolder { folder in
            let inventory = folder.appending(path: "hosts.ini")
            try write("[a]\nb c=1 d\n", to: inventory)
            for path in [inventory.path, folder.path + "/absent"] {
                let error = await #expect(throws: FleetAccessError.self) { try await program().list(inventory: path) }
                #expect(error?.isRefusal == true && error?.message.contains("can not read \(path): ") == true)
                #expect(error?.message.contains("parse") == true, "\(error?.message ?? "")")
            }
            let absent = AnsibleProgram(environment: ["PATH": "/usr/bin:/bin"])
            if !FileManager.default.isExecutableFile(atPath: "/usr/bin/ansible-inventory") {
                let error = await #expect(throws: FleetAccessError.self) {
                    try await absent.list(inventory: inventory.path)
                }
                #expect(error?.message == "ansible-inventory is not installed, or not in PATH")
            }
        }
    }

    @Test func anExportIsAnInventoryOfAnsibleAndIsReadBack() async throws {
        try await withFolder { folder in
            let file = folder.appending(path: "fleet.yml")
            let exported = try RoundTripTests.inventory
            try write(ExportFormat.ansible.text(of: exported), to: file)
            let foreign = try await read(file, program())
            let mapped = MappedInventory(of: foreign, with: nil)
            #expect(mapped.draft.sshConfig == "none")
            let inventory = try mapped.resolved(by: GeneratedFleetTests.answers)
            #expect(inventory == exported)
            #expect(foreign.groups.map(\.name) == ["all", "ungrouped", "data", "web_edge"])
            #expect(foreign.hosts.first { $0.name == "a" }?.way.isEmpty == false)
        }
    }
}
