import AgentProtocol
import Foundation
import Inventory
import PlanFiles
import TestSupport
import Testing
import UpgradeDomain

@testable import AgentRuntime
@testable import CoordinatorRuntime
@testable import RolloutEngine

/// A block of the page as a plan, read by the plan's reader, taken by a real agent, and judged by the rules of a run.
struct Piece {
    let plan: Plan
    private let host: UpgradeDomain.Host
    private let placement: Placement

    /// - Parameter block: a layer, perhaps with a plan's other keys; what a plan needs besides is added.
    init(_ block: String, in folder: URL) throws {
        let layer = try #require(block.firstMatch(of: /layers:\n  - name: (\w+)\n/)).1
        let inventory = try InventoryFile.read(
            text: """
                version: 1
                defaults: {user: me, workingDirectory: \(folder.path), baseURL: "http://127.0.0.1"}
                layers: [{name: \(layer), owners: [ana]}]
                hosts: [{name: host-1, address: 127.0.0.1, layers: [\(layer)]}]
                """, file: "inventory.yaml"
        ).resolved(by: SSHConfigAnswers(configFile: nil, defaults: SSHConfigAnswer("user me")))
        let others = Piece.others.filter { !block.contains("\n\($0.key):") && !block.hasPrefix("\($0.key):") }
        plan = try PlanFile.read(
            text: others.map { "\($0.key): \($0.value)\n" }.joined() + block, file: "plan.yaml", inventory: inventory,
            at: .now)
        host = inventory.hosts[0]
        placement = Placement(host: host.name, layer: host.placements[0].layer)
    }

    private static let others = [
        ("version", "1"), ("name", "piece"), ("from", "\"1\""), ("to", "\"2\""), ("changeClass", "minor"),
        ("reviews", "[{title: Notes, reference: OPS-1}]"), ("materialization", "{run: [\"true\"]}"),
        ("guardrails", "[{run: [\"true\"]}]"), ("representativePath", "{name: path, command: {run: [\"true\"]}}"),
        (
            "layerDefaults",
            "{components: [{name: none, command: {run: [echo, \"1\"]}}], steps: [{name: redeploy, run: [\"true\"]}], "
                + "rollback: {boundary: oneWay}, batches: [100%], soakSeconds: 0}"
        ),
    ].map { (key: $0.0, value: $0.1) }

    /// - Parameter prefix: runs the agent elsewhere, such as in other namespaces.
    func capture(on machine: HostUnderTest, within prefix: [String] = []) throws -> Capture {
        let subject = EvidenceSubject.placement(placement)
        let orders = EvidenceFamily(plan: plan, run: "r-1").surfaces(of: subject, from: host)
        let session = try machine.session(epoch: nil, within: prefix)
        defer { session.kill() }
        let replies = try session.capture(
            orders.map { SurfaceRequest(name: $0.surface.name, source: $0.surface.source) }, in: host.workingDirectory)
        let readings = zip(orders, replies).map { EvidenceAssembly.reading($0, $1, rawDigest: nil) }
        return Capture(subject: subject, takenAt: .now, surfaces: readings)
    }

    /// Why a capture can not be the baseline of a run; nil if it can.
    func problem(_ capture: Capture) -> Problem? {
        EvidenceFamily(plan: plan, run: "r-1").baselineProblem(of: capture, at: .now)
    }

    /// Everything that keeps a capture after a change from passing, `surface item: before -> after`, with its code.
    func problems(_ after: Capture, since before: Capture) -> [String] {
        Judgement(plan: plan, subject: after.subject, wall: .now).findings(
            after, with: before, expects: .source, expected: plan.layers[0].expects, changedAt: nil
        ).compactMap { finding in
            finding.verdict?.problem.map { "\($0.code.rawValue) \(finding.item.surface) \(finding.item.item)" }
        }
    }

    /// Takes evidence until it is accepted as a baseline.
    func baseline(on machine: HostUnderTest, within prefix: [String] = []) async throws -> Capture {
        var taken: Capture?
        var last = ""
        do {
            try await eventually("a baseline", every: .milliseconds(100)) {
                let capture = try capture(on: machine, within: prefix)
                let problem = problem(capture)
                last = problem.map { "\($0.code.rawValue): \($0.detail)" } ?? ""
                taken = problem == nil ? capture : nil
                return taken != nil
            }
        } catch let error as NotInTime {
            throw Surprise("\(error); the last problem: \(last)")
        }
        return try #require(taken)
    }

    /// Takes evidence until it has exactly these problems since a baseline.
    func wait(
        for problems: [String], on machine: HostUnderTest, since baseline: Capture, within prefix: [String] = []
    ) async throws {
        var last: [String] = []
        do {
            try await eventually("\(problems)", every: .milliseconds(100)) {
                last = try self.problems(capture(on: machine, within: prefix), since: baseline)
                return last == problems
            }
        } catch let error as NotInTime {
            throw Surprise("\(error); the last problems: \(last)")
        }
    }
}

extension Capture {
    /// The items of a surface, `key: value health`.
    func items(of surface: SurfaceName) -> [String] {
        self.surface(surface)?.items.map { "\($0.key): \($0.value) \($0.health.rawValue)" } ?? []
    }

    func unknown(_ surface: SurfaceName) -> UnknownReason? { self.surface(surface)?.unknown }
}
