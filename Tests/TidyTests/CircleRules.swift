/// Files that need each other can only be read together. A circle of a few files is one thing in parts; a larger
/// circle is a target without structure.
enum CircleRules {
    static let filesLimit = 4
    private static let folders = ["Sources", "agent", "coordinator", "inventory"]

    /// Every circle of more files than the limit in the product's targets, at its first file.
    static func violations(in files: [SourceFile]) -> [Violation] {
        let swift = files.filter { $0.isSwift && $0.isIn(folders) }
        return Dictionary(grouping: swift) { target(of: $0.path) }.values.flatMap { members in
            circles(among: members).filter { $0.count > filesLimit }.map { circle in
                Violation(
                    path: circle[0], line: 1,
                    problem: "\(circle.count) files need each other, more than \(filesLimit): "
                        + circle.dropFirst().map { String($0.split(separator: "/").last ?? "") }.joined(separator: ", ")
                )
            }
        }.sorted { $0.path < $1.path }
    }

    /// The first two folders, as `Sources/Ledger`.
    private static func target(of path: String) -> String {
        path.split(separator: "/").prefix(2).joined(separator: "/")
    }

    /// The circles of files, each with sorted paths. A file needs another one if it names a top-level type of it.
    static func circles(among files: [SourceFile]) -> [[String]] {
        let declaration =
            /(?:(?:public|package|internal|final|indirect|@\w+) )*(?:struct|class|enum|actor|protocol|typealias) (\w+)/
        var homes: [Substring: Int] = [:]
        for (index, file) in files.enumerated() {
            for line in file.code {
                if let match = line.prefixMatch(of: declaration) { homes[match.1] = homes[match.1] ?? index }
            }
        }
        let needs = files.enumerated().map { index, file in
            Set(
                file.code.flatMap { line in
                    line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.compactMap { homes[$0] }
                }
            ).subtracting([index])
        }
        return components(of: needs).filter { $0.count > 1 }.map { $0.map { files[$0].path }.sorted() }
    }

    /// The groups of nodes that reach each other (Tarjan 1972).
    private static func components(of needs: [Set<Int>]) -> [[Int]] {
        var search = Search(needs: needs)
        for node in needs.indices where search.indices[node] == nil { search.visit(node) }
        return search.components
    }

    private struct Search {
        let needs: [Set<Int>]
        var indices: [Int: Int] = [:]
        var lowest: [Int: Int] = [:]
        var open: [Int] = []
        var isOpen: Set<Int> = []
        var components: [[Int]] = []

        init(needs: [Set<Int>]) { self.needs = needs }

        mutating func visit(_ node: Int) {
            let index = indices.count
            indices[node] = index
            lowest[node] = index
            open.append(node)
            isOpen.insert(node)
            for next in needs[node].sorted() {
                if indices[next] == nil {
                    visit(next)
                    lowest[node] = min(lowest[node] ?? index, lowest[next] ?? index)
                } else if isOpen.contains(next) {
                    lowest[node] = min(lowest[node] ?? index, indices[next] ?? index)
                }
            }
            guard lowest[node] == index else { return }
            var component: [Int] = []
            while let last = open.popLast() {
                isOpen.remove(last)
                component.append(last)
                if last == node { break }
            }
            components.append(component)
        }
    }
}

/// Each target has a chosen size limit. Before the limit is raised, consider moving code to a separate target.
enum SizeRules {
    /// The lines of Swift, including comments, that each target may have.
    static let lines: [String: Int] = [
        "Sources/SafeText": 600, "Sources/UpgradeDomain": 4_800, "Sources/ContentDigest": 2_000,
        "Sources/OperatorCommands": 400, "Sources/Approvals": 2_600, "Sources/RolloutEngine": 5_300,
        "Sources/AgentProtocol": 1_000, "Sources/Ledger": 4_000, "Sources/SSHTransport": 5_000,
        "Sources/LabFleet": 1_200, "Sources/Failpoints": 150, "Sources/SSHSignatures": 1_000,
        "agent/AgentRuntime": 6_400, "agent/lockflight-agent": 50, "inventory/FileReading": 1_100,
        "inventory/Inventory": 1_600, "inventory/InventoryImport": 2_600, "inventory/PlanFiles": 3_050,
        "inventory/PolicyFiles": 600, "coordinator/CoordinatorRuntime": 2_100, "coordinator/RunViews": 1_800,
        "coordinator/RunRecord": 760, "coordinator/FleetAccess": 2_100, "coordinator/Commands": 9_600,
        "coordinator/lockflight": 50,
    ]

    static func violations(in files: [SourceFile]) -> [Violation] {
        lines.sorted { $0.key < $1.key }.compactMap { folder, limit in
            let count = files.filter { $0.isSwift && $0.isIn([folder]) }.reduce(0) { $0 + $1.code.count }
            guard count > limit else { return nil }
            return Violation(path: folder, line: 1, problem: "\(count) lines, more than \(limit)")
        }
    }

    /// Targets of the product without a size limit.
    static var unsized: [String] {
        ImportRules.own.map(\.folder).filter { folder in
            lines[folder] == nil && !folder.hasPrefix("bench/")
                && !["Sources/CLinux", "Sources/CLibSSH2"].contains(folder)
        } + lines.keys.filter { folder in !ImportRules.own.contains { $0.folder == folder } }
    }
}
