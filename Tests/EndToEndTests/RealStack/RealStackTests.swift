import Foundation
import Testing

/// A page's way from an inventory to a verified upgrade, over PostgreSQL, redis, nginx and two apps, and Ansible's way
/// beside it.
@Suite("A real stack", .enabled(if: RealStack.isAvailable, RealStack.needs))
struct RealStackTests {
    private static let page = "docs/real-stack.md"

    private func reader(_ stack: RealStack) throws -> PageReader {
        try PageReader(of: RealStackTests.page, stack.fleet, in: stack.folder, stack.environment)
    }

    private func isOfAnsible(_ name: String) -> Bool { name.hasPrefix("ansible-") }

    @Test("the page's commands lead from the inventory over a hold, a rollback and a repair to verified")
    func lockflight() async throws {
        try await RealStack.with { stack in
            var page = try reader(stack)
            try await page.read("map")
            try stack.take("map.yaml")
            for name in ["import", "same", "plan", "held"] { try await page.read(name) }
            #expect(
                try await stack.versions() == [
                    "db-1": "1.5.0", "cache-1": "1.5.0", "app-1": "1.5.0", "app-2": "", "proxy-1": "1.4.0",
                ])
            let back = try await page.typed("lockflight rollback --all --reason 'away from 1.5.0' 2>&1")
            #expect(back.contains("layer data is declared one-way and has moved"), "\(back)")
            try await page.read("rollback")
            #expect(try await stack.versions()["app-1"] == "1.4.0")
            #expect(try await order(stack) == #"{"article": "smoke"}"#)
            for name in ["repair", "resume"] { try await page.read(name) }
            #expect(try await Set(stack.versions().values) == ["1.5.0"])
            #expect(try await order(stack) == #"{"article": "smoke"}"#)
            let type =
                "SELECT data_type FROM information_schema.columns WHERE table_name = 'orders' AND column_name = 'id'"
            #expect(try await stack.on("db-1", "psql -qAtX -h db-1 -c \"\(type)\" orders") == "bigint")
            try await page.read("later")
            #expect(page.unread.filter { !isOfAnsible($0) } == [] && page.session.unmarked == [])
        }
    }

    @Test("Ansible's playbook for the same job meets the same defect and leads to the same end")
    func ansible() async throws {
        try await RealStack.with { stack in
            var page = try reader(stack)
            try await page.read("ansible-held")
            #expect(
                try await stack.versions() == [
                    "db-1": "1.5.0", "cache-1": "1.5.0", "app-1": "1.5.0", "app-2": "1.4.0", "proxy-1": "1.4.0",
                ])
            try await page.read("ansible-back")
            #expect(try await stack.versions()["app-1"] == "1.4.0")
            try await page.read("ansible-end")
            #expect(try await Set(stack.versions().values) == ["1.5.0"])
            #expect(page.unread.filter(isOfAnsible) == [])
        }
    }

    /// What a customer who orders something through the proxy gets.
    private func order(_ stack: RealStack) async throws -> String {
        try await stack.on("proxy-1", "curl -fsS http://proxy-1:8080/orders/smoke")
    }
}

/// The page's numbers are those of what it shows.
@Suite("The page of a real stack")
struct RealStackPageTests {
    private let session: DocumentedSession
    private let text: String

    init() throws {
        session = try DocumentedSession("docs/real-stack.md")
        text = try String(contentsOfFile: "\(FleetFixture.repository)/docs/real-stack.md", encoding: .utf8)
    }

    private func file(_ name: String) throws -> String {
        try String(contentsOfFile: "\(RealStack.example)/\(name)", encoding: .utf8)
    }

    private func lines(_ names: String...) throws -> Int {
        try names.reduce(0) { sum, name in
            sum + (try file(name)).split(separator: "\n").filter { !$0.allSatisfy(\.isWhitespace) }.count
        }
    }

    /// From the inventory to *verified*.
    private let way = ["map", "import", "plan", "held", "rollback", "repair", "resume"]

    /// What the page shows to be typed, other than to see an exit code.
    private func commands(_ names: [String]) -> Int {
        session.examples.filter { names.contains($0.name) }.flatMap(\.lines)
            .filter { $0.hasPrefix("$ ") && !$0.hasPrefix("$ echo ") }.count
    }

    @Test("commands and lines are counted as they are, and stay within ten commands, 30 lines and 35 lines")
    func counts() throws {
        let (ours, ansibles) = (
            commands(way), commands(session.examples.map(\.name).filter { $0.hasPrefix("ansible-") })
        )
        #expect(
            text.contains("\n| commands to *verified* | \(ours) | \(ansibles) |\n"), "\(ours) and \(ansibles) commands")
        let (own, playbook) = (try lines("map.yaml", "upgrade.yaml"), try lines("upgrade-ansible.yaml"))
        #expect(text.contains("\n| lines of YAML | \(own) | \(playbook) |\n"), "\(own) and \(playbook) lines")
        #expect(try ours <= 10 && lines("fleet.yaml") <= 30 && lines("upgrade.yaml") <= 35)
    }

    @Test("the page shows the files as they are")
    func files() throws {
        for name in ["hosts.ini", "map.yaml", "fleet.yaml", "upgrade.yaml"] {
            let kind = name.split(separator: ".").last ?? ""
            #expect(try text.contains("```\(kind)\n\(file(name))```\n"), "\(name)")
        }
    }
}
