import ContentDigest
import Ledger
import RolloutEngine
package import UpgradeDomain

/// What the events of a run say, for people and programs that have nothing but them.
package struct RunConclusions: Encodable {
    package var run: RunDocument
    package var comparisons: [ComparisonDocument]
    /// Every boundary at which the run was held, as it stood then.
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

    /// Whether a bundle of a format states what its events lead to, as far as the build that wrote it concluded the same.
    package static func agree(_ stated: JSONValue, with events: [RecordedEvent], format: String) -> Bool {
        var (stated, found) = (stated, json(events))
        if format == EvidenceBundle.formatWithAdvice { stated = stated.withoutAdvice }
        if format != EvidenceBundle.currentFormat {
            (stated, found) = (stated.withoutRepairs.withoutComparisons, found.withoutRepairs.withoutComparisons)
        }
        return found == stated
    }

    /// The conclusions as a JSON value; null where the events define no run.
    package static func json(_ events: [RecordedEvent]) -> JSONValue {
        guard let conclusions = RunConclusions(events), let bytes = try? CanonicalJSON.encode(conclusions),
            let value = try? CanonicalJSON.decode(JSONValue.self, from: bytes)
        else { return .null }
        return value
    }
}

extension JSONValue {
    /// Conclusions without which placements are repaired by hand: earlier builds named more.
    fileprivate var withoutRepairs: JSONValue {
        guard case .object(var conclusions) = self, case .object(var run)? = conclusions["run"],
            case .array(let placements)? = run["placements"]
        else { return self }
        run["placements"] = .array(
            placements.map { placement in
                guard case .object(var members) = placement else { return placement }
                members["repairedByHand"] = nil
                return .object(members)
            })
        conclusions["run"] = .object(run)
        return .object(conclusions)
    }

    /// Conclusions without the commands that could be given next: builds up to 0.1.0 wrote them among the conclusions, and they
    /// depend on the build and on the time.
    fileprivate var withoutAdvice: JSONValue {
        guard case .object(var conclusions) = self else { return self }
        if case .object(var run)? = conclusions["run"] {
            run["next"] = nil
            conclusions["run"] = .object(run)
        }
        return JSONValue.object(conclusions).withoutBoundaries("options")
    }

    /// Conclusions without evidence beside evidence: earlier builds showed other rows than those that were judged.
    fileprivate var withoutComparisons: JSONValue {
        guard case .object(var conclusions) = self else { return self }
        conclusions["comparisons"] = nil
        return JSONValue.object(conclusions).withoutBoundaries("evidence")
    }

    /// Conclusions whose boundaries lack a member.
    private func withoutBoundaries(_ member: String) -> JSONValue {
        guard case .object(var conclusions) = self, case .array(let boundaries)? = conclusions["boundaries"] else {
            return self
        }
        conclusions["boundaries"] = .array(
            boundaries.map { boundary in
                guard case .object(var members) = boundary else { return boundary }
                members[member] = nil
                return .object(members)
            })
        return .object(conclusions)
    }
}
