import SafeText
import UpgradeDomain

extension ApprovalStanding.LayerStanding {
    /// Beside the layer's name.
    func words(_ style: Style) -> TerminalText {
        switch verdict {
        case .approved(let owner, let user):
            style.green("approved by \(owner)") + " (\(claimWords(by: user)))"
        case .signed(let people): style.green("approved by \(people.named)") + " (signed)"
        case .void(let owner, let changed):
            style.red("void") + ": the \(changed) changed since the approval by \(owner)"
        case .used(let owner, let runs):
            style.red("used") + ": the approval by \(owner) has served \(runs.map(\.rawValue).joined(separator: ", "))"
        case .ended(let owner, let at): style.red("ended") + ": the approval by \(owner), at \(at.rfc3339)"
        case .missing: style.yellow("needs approval by \(owners.map(\.rawValue).joined(separator: " or "))")
        case .lacking(let words, _): style.yellow("\(afterName(words))")
        case .releaseLacking(let words): style.red("\(words)")
        case .atHoldPoint(let point): style.yellow("needs approval where the run waits, before \(point)")
        }
    }

    /// What is missing before a run may start; nil if nothing is.
    var problem: String? {
        switch verdict {
        case .approved, .signed, .atHoldPoint: nil
        case .missing: "layer \(layer) needs an approval by \(owners.map(\.rawValue).joined(separator: " or "))"
        case .void(let owner, let changed):
            "layer \(layer): the approval by \(owner) is void, the \(changed) changed since"
        case .used(let owner, let runs):
            "layer \(layer): the approval by \(owner) was used by \(runs.map(\.rawValue).joined(separator: ", "))"
        case .ended(let owner, let at): "layer \(layer): the approval by \(owner) ended at \(at.rfc3339)"
        case .lacking(let words, _), .releaseLacking(let words): words
        }
    }

    /// Who is to approve it next; nil if nobody needs to before the start, or nobody can.
    var asked: Owner? {
        switch verdict {
        case .approved, .signed, .atHoldPoint, .releaseLacking: nil
        case .missing, .void, .used, .ended: owners.first
        case .lacking(_, let asked): asked.first
        }
    }

    private func afterName(_ words: String) -> String { words.rest(after: "layer \(layer) ").map(String.init) ?? words }
}

extension ApprovalStanding {
    /// What is missing before a run may start, and at its hold points.
    ///
    /// - Parameter runs: the open runs that have recorded the approval: it is theirs, and no run that is to come is spoken of.
    func missingLines(unlessIn runs: [RunID]) -> [TerminalText] {
        guard runs.isEmpty else { return [] }
        return layers.compactMap(\.problem).map { "still missing: \($0)" }
            + (holdPoints ?? []).compactMap { point in
                point.lacking.map { "before \(point.point) the run will wait: \($0)" }
            }
    }
}

extension [Owner] {
    fileprivate var named: String { map(\.rawValue).joined(separator: ", ") }
}
