import ContentDigest
import Ledger
import RolloutEngine
package import UpgradeDomain

/// What follows from the events of a run alone, for people and programs that have nothing else.
package struct RunConclusions: Encodable {
    package var run: RunDocument
    package var comparisons: [ComparisonDocument]
    /// Every boundary at which the run was held, as it was at that time.
    package var boundaries: [BoundaryDocument]

    package init?(_ events: [RecordedEvent]) {
        guard var state = RolloutState.fold(Array(events.prefix(1)), at: .zero) else { return nil }
        boundaries = []
        for event in events.dropFirst() {
            let wasHeld = state.isHeld
            state.apply(event, at: .zero)
            if !wasHeld, let record = state.boundaryRecord {
                boundaries.append(BoundaryDocument(record, of: state, at: event.recordedAt, nil))
            }
        }
        run = RunDocument(state, at: state.lastEventAt, nil)
        comparisons = state.orderedPlacements.compactMap(state.comparison).map(ComparisonDocument.init)
    }

    /// Whether the conclusions of a bundle follow from its events, as far as the build that wrote it drew the same
    /// ones.
    package static func agree(_ stated: JSONValue, with events: [RecordedEvent], format: String) -> Bool {
        var (stated, found) = (stated, json(events))
        if format == EvidenceBundle.formatWithAdvice { stated = stated.withoutAdvice }
        if format != EvidenceBundle.currentFormat {
            stated = stated.withoutRepairs.withoutComparisons.withoutWordsOfReverts
            found = found.withoutRepairs.withoutComparisons.withoutWordsOfReverts.withoutOutput
        }
        return found == stated
    }

    /// The conclusions as a JSON value; null if the events define no run.
    package static func json(_ events: [RecordedEvent]) -> JSONValue {
        guard let conclusions = RunConclusions(events), let bytes = try? CanonicalJSON.encode(conclusions),
            let value = try? CanonicalJSON.decode(JSONValue.self, from: bytes)
        else { return .null }
        return value
    }
}

extension JSONValue {
    /// Without the placements that are repaired by hand: earlier builds listed more of them.
    fileprivate var withoutRepairs: JSONValue { removing("run", "placements", "*", "repairedByHand") }

    /// Without the next commands: builds up to 0.1.0 wrote them into the conclusions, and they depend on the build and
    /// on the time.
    fileprivate var withoutAdvice: JSONValue { removing("run", "next").removing("boundaries", "*", "options") }

    /// Without compared evidence: earlier builds showed other rows than those that were judged.
    fileprivate var withoutComparisons: JSONValue {
        removing("comparisons").removing("boundaries", "*", "evidence")
    }

    /// Without the output of scripts and the results of rechecks, which earlier builds left in the events.
    fileprivate var withoutOutput: JSONValue {
        removing("run", "hold", "output").removing("boundaries", "*", "failures", "*", "output")
            .removing("run", "hold", "recheck").removing("boundaries", "*", "failures", "*", "recheck")
    }

    /// Conclusions without how a change that went back is put into words: earlier builds named cases of the program there.
    fileprivate var withoutWordsOfReverts: JSONValue {
        switch self {
        case .object(var members):
            if members["code"] == .string(HoldCode.changeReverted.rawValue) { members["detail"] = nil }
            return .object(members.mapValues(\.withoutWordsOfReverts))
        case .array(let elements): return .array(elements.map(\.withoutWordsOfReverts))
        case .null, .bool, .integer, .number, .string: return self
        }
    }

    /// The value without a member at a path; `*` stands for every element of an array.
    private func removing(_ path: String...) -> JSONValue { removing(path[...]) }

    private func removing(_ path: ArraySlice<String>) -> JSONValue {
        guard let name = path.first else { return self }
        let rest = path.dropFirst()
        switch self {
        case .object(var members):
            members[name] = rest.isEmpty ? nil : members[name]?.removing(rest)
            return .object(members)
        case .array(let elements): return name == "*" ? .array(elements.map { $0.removing(rest) }) : self
        case .null, .bool, .integer, .number, .string: return self
        }
    }
}
