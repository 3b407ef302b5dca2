import FileReading
import SafeText
import UpgradeDomain

/// The hold points of a plan.
extension PlanReading {
    /// In plan order, so that plans which wait at the same places are the same; nil for none.
    ///
    /// - Parameter layers: of the plan, in order.
    func readHoldPoints(_ layers: [LayerName]) -> [HoldPoint]? {
        let points = section.value(\.holdPoints).enumerated().map { index, point in
            let layer = point.layer.map { layers.firstIndex(of: $0) ?? layers.count } ?? -1
            let batch = if case .batch(_, let index) = point { index } else { -1 }
            return (order: [layer, batch, index], point: point)
        }
        let sorted = points.sorted { $0.order.lexicographicallyPrecedes($1.order) }.map(\.point)
        return sorted.isEmpty ? nil : sorted
    }
}

extension PlanRules {
    private static func problem(_ message: String, _ remedy: String) -> PlanProblem {
        PlanProblem(place: .root("holdPoints"), message: message, remedy: remedy)
    }

    /// A run waits only where it passes.
    static func holdPointProblems(_ plan: Plan) -> [PlanProblem] {
        let points = plan.holdPoints ?? []
        let layers = plan.layers.map(\.name.rawValue).joined(separator: ", ")
        let isAmbiguous = plan.layer("run") != nil
        return points.enumerated().flatMap { index, point -> [PlanProblem] in
            var problems: [PlanProblem] = []
            if points[..<index].contains(point) {
                problems.append(problem("hold point '\(point.spelled)' is listed twice", "list each once"))
            }
            if isAmbiguous, point.layer ?? "run" == "run" {
                problems.append(
                    problem(
                        "hold point '\(point.spelled)' may mean the run, or the layer of that name",
                        "rename the layer in the inventory, or hold before other layers only"))
            } else if let layer = point.layer, plan.layer(layer) == nil {
                problems.append(
                    problem(
                        "hold point '\(point.spelled)' names no layer of the plan", "write run, or one of: \(layers)"))
            }
            return problems
        }
    }

    /// How many batches a layer has depends on its hosts.
    static func batchProblems(_ plan: Plan, _ inventory: FleetInventory) -> [PlanProblem] {
        let hosts = plan.selectedHosts(of: inventory)
        return (plan.holdPoints ?? []).compactMap { point in
            guard case .batch(let name, let index) = point, let layer = plan.layer(name) else { return nil }
            let names = hosts.filter { $0.placement(in: name) != nil }.map(\.name)
            let count = layer.batches(over: names).count
            guard count > 0, index >= count else { return nil }
            return problem(
                "a run never reaches the hold point '\(point.spelled)': layer \(name) ends with batch \(count)",
                "write a number up to \(count), or correct the layer's batches")
        }
    }
}

extension Form where Value == HoldPoint {
    static var holdPoint: Form {
        let words = TextRule("hold point", pattern: "^[a-z0-9][a-z0-9.-]{0,62}(/[1-9][0-9]{0,6})?$")
        return Form(.text(words)) { reader, field in
            guard let text = reader.text(field) else { return nil }
            if let point = HoldPoint(text), point.layer.map({ NameGrammar.machine.accepts($0.rawValue) }) ?? true {
                return point
            }
            reader.report(
                field.line, "'\(text)' is not a hold point",
                "write run, a layer of the plan, or a layer and the number of its batch, such as core/2")
            return nil
        }
    }
}
