import FileReading
import SafeText
import UpgradeDomain

/// What a rule finds, and where it is in the file.
extension PlanRules {
    /// Where a problem is reported.
    enum Place: Hashable {
        case root(String)
        case layer(Int)
        case surface(Int)
        case waiver(Int)
        case text(TextPlace)
    }

    struct PlanProblem: Hashable {
        var place: Place
        var message: String
        var remedy: String
        /// Where it is met; empty if that does not depend on hosts.
        var hosts: [HostName] = []

        /// The message with its hosts.
        var words: String {
            guard let first = hosts.first else { return message }
            return "\(message) on host \(first)" + (hosts.count > 1 ? " and \(hosts.count - 1) more" : "")
        }
    }

    /// A text of a plan, by which its lines are found in the file.
    struct TextPlace: Hashable {
        var text: String
        /// A key that leads to it; nil for any.
        var key: String?
        /// The layer that has it of its own or from the defaults; nil for the plan.
        var layer: Int?
    }

    /// Problems of texts, each with the hosts where it is met.
    struct TextProblems {
        private(set) var problems: [PlanProblem] = []
        private var positions: [PlanProblem: Int] = [:]
        private var seen: [Set<HostName>] = []

        /// - Parameters:
        ///   - host: nil where it is the same on all.
        ///   - remedy: asked for once; nil for the problem's own.
        mutating func add(_ problem: PlanProblem, on host: HostName?, _ remedy: (() -> String)? = nil) {
            let position = positions[problem] ?? problems.count
            if position == problems.count {
                positions[problem] = position
                problems.append(problem)
                seen.append([])
                if let remedy { problems[position].remedy = remedy() }
            }
            if let host, seen[position].insert(host).inserted { problems[position].hosts.append(host) }
        }
    }
}

extension PlanReading {
    /// Reports problems at their lines; those of one text in one line once, with all their hosts.
    func report(_ problems: [PlanRules.PlanProblem]) {
        var merged: [PlanRules.PlanProblem] = []
        var positions: [[String]: (position: Int, path: String?, line: Int)] = [:]
        for problem in problems {
            for site in sites(of: problem.place) {
                let key = ["\(site.line)"] + identity(of: problem)
                guard let known = positions[key] else {
                    positions[key] = (merged.count, site.path, site.line)
                    merged.append(problem)
                    continue
                }
                let more = Set(problem.hosts).subtracting(merged[known.position].hosts)
                merged[known.position].hosts += problem.hosts.filter(more.contains)
            }
        }
        for found in positions.values.sorted(by: { $0.position < $1.position }) {
            let problem = merged[found.position]
            let place = found.path.map { " (in \($0))" } ?? ""
            reader.report(found.line, problem.words + place, problem.remedy)
        }
    }

    /// What makes two problems of one line the same: what a text becomes may differ from host to host.
    private func identity(of problem: PlanRules.PlanProblem) -> [String] {
        guard case .text(let text) = problem.place, let key = text.key else { return [problem.message] }
        return [key, text.text]
    }

    /// Where something is in the file; the path only for a text.
    private func sites(of place: PlanRules.Place) -> [(path: String?, line: Int)] {
        guard case .text(let text) = place else { return [(nil, line(of: place))] }
        let all = reader.sites(of: text.text).filter { site in
            guard let key = text.key else { return true }
            return site.isUnder(key) && !(key == "timeoutSeconds" && site.isOfOperation)
        }
        let own = text.layer == nil ? [] : all.filter { $0.index(in: "layers") == text.layer }
        let found = own.isEmpty ? all.filter { $0.index(in: "layers") == nil } : own
        return found.isEmpty ? [(nil, line(of: place))] : found.map { ($0.path, $0.line) }
    }

    private func line(of place: PlanRules.Place) -> Int {
        switch place {
        case .text(let text): text.layer.map { line(of: \.layers, at: $0) } ?? section.line
        case .root(let key): section.line(ofKey: key)
        case .surface(let index): line(of: \.evidence, at: index)
        case .waiver(let index): line(of: \.waivers, at: index)
        case .layer(let index): line(of: \.layers, at: index)
        }
    }

    private func line<Value>(of path: KeyPath<PlanKeys, Key<Value>>, at index: Int) -> Int {
        let elements = section.field(path).map { reader.list($0) } ?? []
        return elements.indices.contains(index) ? elements[index].line : section.line(of: path)
    }
}

extension TextSite {
    /// Whether it is in a command that may take longer than evidence.
    fileprivate var isOfOperation: Bool {
        ["steps", "rollback", "guardrails", "rollbackGuardrails"].contains(where: isUnder)
    }
}
