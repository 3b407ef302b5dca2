import Approvals
import RunViews
import SafeText
import UpgradeDomain

extension Statement {
    /// What it is bound to and for how long, in words: shown before somebody signs it, and of what was signed.
    var termLines: [TerminalText] {
        var lines: [TerminalText] = [
            "statement   \(id)", "what        \(words)", "plan        \(planName), \(plan)",
        ]
        if let run { lines.append("run         \(run)\(boundary.map { ", at \($0)" } ?? "")") }
        if let from { lines.append("from        step \(from)") }
        if let named { lines.append("on          \(named.map(\.rawValue).joined(separator: ", "))") }
        lines += [
            "hosts       \(counted(hosts, "host")), root \(hostsRoot)",
            "layers      \(layers.map(\.rawValue).joined(separator: ", "))",
        ]
        if purpose == .approve {
            let points = holdPoints.map(\.spelled).joined(separator: ", ")
            lines.append("hold points \(points.isEmpty ? "opens none" : points)")
        }
        lines.append("valid       from \(notBefore), before \(notAfter)")
        if purpose == .approve {
            lines += [
                "serves      \(counted(runs, "run")), \(counted(attempts, "attempt")) for each host and layer",
                "rollback    "
                    + (rollback.map { "until \($0.until), \(counted($0.attempts, "attempt"))" } ?? "not covered"),
            ]
        }
        if let revokes { lines.append("revokes     \(revokes.short)") }
        if policy > 0 { lines.append("policy      version \(policy)") }
        return lines + releases.map { "release     \($0)" }
    }
}

extension Policy {
    /// The people who may give a statement, and have a key that counts for it, sorted.
    func people(for statement: Statement) -> [Owner] {
        entitled(to: statement).filter { statement.purpose != .breakGlass || people[$0]?.breakGlassKeys != nil }
            .sorted()
    }

    /// Who may give it, as what follows from a refusal.
    func peopleSentence(for statement: Statement) -> String {
        let names = people(for: statement).map(\.rawValue).joined(separator: ", ")
        if statement.purpose == .breakGlass {
            return names.isEmpty
                ? "Nobody who may give it has a key for break-glass in version \(version) of the policy."
                : "These people may, and have a key for break-glass: \(names)."
        }
        return names.isEmpty
            ? "Version \(version) of the policy names nobody who may." : "These people may: \(names)."
    }
}
