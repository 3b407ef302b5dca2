import Foundation
import RolloutEngine
import Testing

/// The diagrams in the docs match the code.
struct DiagramTests {
    private static func page() throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "docs/rollout-state-machine.md"), encoding: .utf8)
    }

    /// The arrows of the n-th mermaid block, start and end nodes left out.
    static func arrows(of block: Int) throws -> Set<[String]> {
        let blocks = try page().components(separatedBy: "```mermaid").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
        let lines = blocks[block].split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        return Set(lines.filter { $0.count == 3 && $0[1] == "-->" && $0[0] != "[*]" }.map { [$0[0], $0[2]] })
    }

    @Test func thePlacementDiagramHasExactlyTheTransitionsOfTheCode() throws {
        let drawn = try DiagramTests.arrows(of: 0)
        let coded = Set(
            PlacementPhase.transitions.flatMap { from, targets in targets.map { [from.rawValue, $0.rawValue] } })
        #expect(drawn.subtracting(coded).isEmpty)
        #expect(coded.subtracting(drawn).isEmpty)
        #expect(Set(PlacementPhase.transitions.keys) == Set(PlacementPhase.Kind.allCases))
    }

    @Test func everyPhaseHasASentence() throws {
        let page = try DiagramTests.page()
        for kind in PlacementPhase.Kind.allCases {
            #expect(page.contains("| `\(kind.rawValue)` |"), "\(kind.rawValue)")
        }
    }

    @Test func theStagesOfARunAreThoseOfTheDiagram() throws {
        var harness = EngineHarness(Model.run())
        var seen: [String] = []
        harness.run { now in
            let name = String("\(now.state.stage)".prefix { $0 != "(" })
            if seen.last != name { seen.append(name) }
            return false
        }
        seen.append(String("\(harness.state.stage)".prefix { $0 != "(" }))
        let drawn = try DiagramTests.arrows(of: 1)
        for (from, to) in zip(seen, seen.dropFirst()) where from != to && to != "complete" {
            #expect(
                drawn.contains([from, to]) || from == "batch" && to == "layerBoundary"
                    || from == "batch" && to == "batch", "\(from) -> \(to)")
        }
        #expect(seen.first == "preflight")
        #expect(seen.last == "complete")
    }
}
