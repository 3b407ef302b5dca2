import Ledger
import OperatorCommands
import RolloutEngine
import SafeText
import Testing
import UpgradeDomain

@testable import Commands
@testable import RunViews

/// Tests the status of a run on narrow and wide terminals.
struct StatusViewTests {
    static func state() -> RolloutState? {
        let command = ScriptCommand(arguments: ["bash", "./redeploy.sh"], timeoutSeconds: 10)
        let version = VersionChange(from: "1.4.0", to: "1.5.0")
        let source = SurfaceSource.http(HTTPSource(url: "${baseURL}/version", timeoutSeconds: 5))
        let layers = (["data", "core"] as [LayerName]).map { name in
            PlanLayer(
                name: name, version: version,
                components: [Component(name: "app", version: version, observe: source, pointer: "/version")],
                steps: [Step(name: "redeploy", command: command)],
                rollback: RollbackPosture(command: command, boundary: .untilFinalize),
                batches: [.count(1), .percent(100)],
                soakSeconds: 1, sampleSeconds: 1, healthyWithinSeconds: 5, progressDeadlineSeconds: 60,
                failedWhen: ["no answer"])
        }
        let path = Surface(name: "smoke", source: source, reader: Reader(shape: .result))
        let plan = Plan(
            name: "stack-1.5.0", version: version, changeClass: .minor, reviews: [], evidence: [path],
            materialization: command,
            guardrails: [command], representativePath: path, layers: layers)
        let hosts = [("data-1", "data"), ("core-1", "core"), ("core-with-a-rather-long-name-2", "core")].map {
            name, layer in
            Host(
                name: HostName(name), address: name, user: "u", workingDirectory: "/srv",
                placements: [HostPlacement(layer: LayerName(layer), baseURL: "http://127.0.0.1:1")])
        }
        let definition = RunDefinition(
            run: "r-abc123", ledger: "l", plan: plan, planDigest: "sha256:00", hosts: hosts, hostsDigest: "sha256:01",
            approvals: [])
        let detail =
            "core-1 could not be reached: \u{1b}[31mno route to host\u{1b}[0m after three attempts within the patience"
        let events: [RunEvent] = [
            .runStarted(definition), .driverAttached(Driver(epoch: 1, user: "u", machine: "m", processID: 1)),
            .hostLost(HostLoss(host: "core-1", code: .hostUnreachable, detail: detail)),
        ]
        let recorded = events.enumerated().map {
            RecordedEvent(
                sequence: UInt64($0 + 1), recordedAt: WallTime(clamping: 0), event: $1, hash: Digest("sha256:\($0)")
            )
        }
        return RolloutState.fold(recorded, at: .zero)
    }

    private func lines(width: Int, style: Style = .plain) throws -> [TerminalText] {
        let state = try #require(StatusViewTests.state())
        return StatusView(
            report: RunReport(state), now: WallTime(clamping: 65_000), width: width, style: style,
            commandLines: CommandLines()
        ).lines()
    }

    @Test(arguments: [60, 80, 200])
    func noLineIsWiderThanTheTerminal(_ width: Int) throws {
        // A command is never broken: it must stay one line to be copied.
        for line in try lines(width: width) where !line.written.hasPrefix("  lockflight ") {
            #expect(line.width <= width, "\(line)")
        }
    }

    /// A layer of fifty waiting hosts is one line; failed and active hosts come first, and the rest are counted.
    @Test(arguments: [3, 9, 14, 23, 59])
    func theViewIsNeverHigherThanItsTerminal(_ rows: Int) throws {
        let state = try #require(StatusViewTests.state())
        var report = RunReport(state)
        let first = try #require(report.layers[1].placements.first)
        let alike = (1...50).map { number in
            var own = first
            own.placement = Placement(host: HostName("core-\(number)"), layer: "core")
            own.phase = number % 5 == 0 ? "warmingUp" : "waiting"
            own.isPressing = number % 5 == 0
            return own
        }
        report.layers[1].placements = alike
        report.layers[1].tallies = [("warmingUp", 10), ("waiting", 40)].map {
            PlacementTally(layer: "core", phase: $0.0, failureClass: nil, observed: [:], count: $0.1)
        }
        let view = StatusView(
            report: report, now: .init(clamping: 0), width: 80, style: .plain, commandLines: CommandLines(),
            driver: "driven here")
        #expect(view.lines().count > 59)
        let lines = view.lines(within: rows).map(\.written)
        #expect(lines.count <= rows && lines[0].hasPrefix("r-abc123"), "\(lines)")
        guard rows >= 9 else { return }
        let text = lines.joined(separator: "\n")
        #expect(text.contains("0/50  10 not verified, 40 waiting") && text.contains("held at preflight"), "\(text)")
        #expect(
            rows < 14 || text.contains("more have failed or are in progress") || text.contains("core-50"), "\(text)")
        #expect(rows < 59 || (5...50).filter { $0 % 5 == 0 }.allSatisfy { text.contains("core-\($0) ") }, "\(text)")
        #expect(view.lines(within: 500) == view.lines())
    }

    @Test func hostileTextNeverReachesTheTerminalRaw() throws {
        #expect(try !lines(width: 80).joined().written.contains("\u{1b}"))
        #expect(try lines(width: 80).joined(separator: " ").written.contains("\\u{1b}[31mno"))
    }

    @Test func coloursChangeOnlyColours() throws {
        let plain = try lines(width: 100)
        let coloured = try lines(width: 100, style: Style(isEnabled: true))
        let stripped = coloured.map { $0.written.replacing(/\u{1b}\[[0-9]+m/, with: "") }
        #expect(stripped == plain.map(\.written))
        #expect(coloured != plain)
    }

    @Test func aHoldShowsWhatWasPrintedAndHowManyMoreFailed() throws {
        var report = RunReport(try #require(StatusViewTests.state()))
        report.overview.hold?.output = ["migrating", "FATAL: \u{1b}[2J42"]
        let others = (1...500).map {
            RunOverview.Hold.Further(subject: "core-\($0)", code: .hostUnreachable, detail: "no route")
        }
        report.overview.hold?.further = Shortlist(others, atMost: RunOverview.furtherFailuresShown)
        let text = StatusView(
            report: report, now: .init(clamping: 0), width: 120, style: .plain, commandLines: CommandLines()
        ).lines().map(\.written).joined(separator: "\n")
        #expect(text.contains("  printed    migrating\n             FATAL: \\u{1b}[2J42\n"), "\(text)")
        #expect(text.contains("490 more; list them with: lockflight recover show r-abc123"), "\(text)")
        #expect(text.contains("core-10: ") && !text.contains("core-11: "))
        #expect(text.contains("core-2: host-unreachable: same as core-1"), "\(text)")
    }

    /// A missing answer is shown only for watched placements; a run without a driver shows that instead.
    @Test func aHostThatDoesNotAnswerAndARunThatNobodyDrivesSaySo() throws {
        var report = RunReport(try #require(StatusViewTests.state()))
        report.overview.isAtRest = false
        report.overview.isSampling = true
        report.overview.isHeld = false
        report.layers[1].placements[0].phase = "soaking"
        report.layers[1].placements[0].observedAt = WallTime(clamping: 1_000)
        let limit = try #require(report.layers[1].answersWithinSeconds)
        func text(at seconds: Int, undriven: Int64? = nil, width: Int = 120) -> String {
            StatusView(
                report: report, now: WallTime(clamping: Int64(seconds) * 1_000), width: width, style: .plain,
                commandLines: CommandLines(), undrivenSince: undriven.map { WallTime(clamping: $0) },
                drivenSince: undriven == nil ? WallTime(clamping: 0) : nil
            ).lines().map(\.written).joined(separator: "\n")
        }
        #expect(!text(at: limit + 1).contains("no answer"))
        #expect(text(at: limit + 2).contains("core-1                         no answer for \(limit + 1) s"))
        let undriven = text(at: limit + 64, undriven: Int64(limit) * 1_000)
        #expect(!undriven.contains("no answer"), "\(undriven)")
        #expect(undriven.contains("ago; continue with\n  lockflight rollout resume r-abc123"), "\(undriven)")
        #expect(undriven.contains("not driven since 1970-01-01T00:0"))
        #expect(text(at: 70).contains("intended, age") && !text(at: 70, width: 80).contains("age"))
    }

    @Test func theHoldShowsWhereWhyAndTheNextCommand() throws {
        let text = try lines(width: 200).map(\.written).joined(separator: "\n")
        #expect(text.contains("held at preflight: host-unreachable"))
        #expect(text.contains("untouched  data-1/data, core-1/core"))
        #expect(text.contains("lockflight rollout resume r-abc123"))
    }
}
