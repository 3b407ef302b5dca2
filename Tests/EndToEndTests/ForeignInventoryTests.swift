import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Inventories from elsewhere, with the real command and the real `ssh`.
struct ForeignInventoryTests {
    @Test func theHostsOfAnSSHConfigAreImportedWithAMappingAndReached() async throws {
        try await FleetFixture.with { fixture in
            let hosts = fixture.lab.hosts
            let folder = fixture.folder
            func write(_ text: String, _ name: String) throws {
                try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
            }
            for host in hosts {
                let (name, layer) = (host.name.rawValue, try #require(host.layers.first))
                let file = "\(folder)/\(layer).conf"
                let before = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
                try write(before + "Host \(name)\n  HostName \(host.address)\n", "\(layer).conf")
            }
            try write(
                """
                Include \(folder)/*.conf
                Host *
                  User \(NSUserName())
                  Port \(hosts[0].sshPort)
                  IdentityFile \(fixture.lab.identityPath)

                """, "config")
            let words = ["inventory", "import", "\(folder)/config", "--from", "ssh-config"]
            let started = try await fixture.run(words + ["--init-map", "\(folder)/map.yaml"])
            #expect(started.code == 0 && started.output.contains("layer data: 1 host of 1 group (data)"), "\(started)")
            let suggested = try String(contentsOfFile: "\(folder)/map.yaml", encoding: .utf8)
            #expect(suggested.contains("groups: [core, data, edge]") || suggested.contains("groups: [data]"))
            let layers = ["data", "core", "edge"].map { "  - {name: \($0), owners: [\($0)-owner], groups: [\($0)]}\n" }
            try write(
                "version: 1\ndefaults: {workingDirectory: /srv, baseURL: \"http://127.0.0.1:1\"}\nlayers:\n"
                    + layers.joined(), "mine.yaml")
            let refused = try await fixture.run(words + ["--map", "\(folder)/mine.yaml"])
            #expect(refused.code == 13 && refused.errors.contains("--allow-ssh-config"), "\(refused)")
            let imported = try await fixture.run(words + ["--map", "\(folder)/mine.yaml", "--allow-ssh-config"])
            #expect(imported.code == 0, "\(imported)")
            let checked = try await fixture.run(["inventory", "check"])
            #expect(checked.code == 0, "its hosts kept their keys and are reached: \(checked)")
            let again = try await fixture.run(words + ["--map", "\(folder)/mine.yaml", "--allow-ssh-config"])
            #expect(again.output == "nothing changed\n")
        }
    }

    @Test func whatAFileIsIsAskedForAndNoMappingIsOverwritten() async throws {
        try await FleetFixture.with { fixture in
            let folder = fixture.folder
            try "[db]\na\n".write(toFile: "\(folder)/hosts", atomically: true, encoding: .utf8)
            try "name,role\na,db\n".write(toFile: "\(folder)/hosts.csv", atomically: true, encoding: .utf8)
            let unknown = try await fixture.run(["inventory", "import", "\(folder)/hosts"])
            #expect(unknown.code == 13 && unknown.errors.contains("--from ansible, ssh-config or csv"), "\(unknown)")
            let isFolder = try await fixture.run(["inventory", "import", folder])
            #expect(isFolder.code == 13 && isFolder.errors.contains("add --from ansible"), "\(isFolder)")
            let unmapped = try await fixture.run(["inventory", "import", "\(folder)/hosts.csv"])
            #expect(unmapped.code == 13 && unmapped.errors.contains("--init-map map.yaml"), "\(unmapped)")
            let map = "\(folder)/map.yaml"
            let needless = try await fixture.run(["inventory", "import", fixture.lab.inventoryPath, "--init-map", map])
            #expect(needless.code == 13 && needless.errors.contains("needs no mapping"), "\(needless)")
            let written = try await fixture.run(["inventory", "import", "\(folder)/hosts.csv", "--init-map", map])
            #expect(written.code == 0, "\(written)")
            let text = try String(contentsOfFile: map, encoding: .utf8)
            let twice = try await fixture.run(["inventory", "import", "\(folder)/hosts.csv", "--init-map", map])
            #expect(twice.code == 13 && twice.errors.contains("\(map) exists"), "\(twice)")
            #expect(try String(contentsOfFile: map, encoding: .utf8) == text)
        }
    }
}
