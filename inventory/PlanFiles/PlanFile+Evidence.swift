import FileReading
import SafeText
import UpgradeDomain

/// The valid surfaces of a plan.
struct EvidenceReading {
    /// Those of the plan as a whole.
    var shared: [Surface]
    /// Those of layers.
    var own: [Surface]
    /// Whether none was refused.
    var isWhole: Bool
    var surfaces: [Surface] { shared + own }

    /// Reports a name that no surface has, unless it may belong to a refused one.
    func require(_ name: SurfaceName, _ line: Int, _ reader: FileReader) {
        guard isWhole, !surfaces.contains(where: { $0.name == name }) else { return }
        reader.report(
            line, "no surface is named '\(name)'",
            "use one of: \(surfaces.map(\.name.rawValue).joined(separator: ", "))")
    }
}

/// The evidence family: sources and readers.
extension PlanReading {
    /// - Parameter layers: what they have of their own counts as well.
    func readEvidence(beside layers: [PlanLayer], hasWholeLayers: Bool) -> EvidenceReading {
        let (surfaces, isWhole) = reader.whole { section.value(\.evidence).compactMap(readSurface) }
        let bare = layers.first { $0.evidence == nil }
        let areLayersKnown = hasWholeLayers || section.field(\.layers) == nil
        if surfaces.isEmpty, areLayersKnown, bare != nil || layers.isEmpty {
            section.reportMissing(
                \.evidence, bare.map { "layer \($0.name) has no evidence" } ?? "the plan has no evidence",
                ifWhole: isWhole)
        }
        return EvidenceReading(
            shared: surfaces, own: layers.flatMap { $0.evidence ?? [] },
            isWhole: isWhole && hasWholeLayers && !section.isMisspelled(\.evidence))
    }

    func readSurface(_ own: Section<SurfaceKeys>) -> Surface? {
        guard let name = own.value(\.ofLayer.name), let found = readSource(own.part(\.ofLayer.source)) else {
            return nil
        }
        let scope = own.value(\.scope)
        guard own.field(\.ofLayer.read) != nil else {
            return surface(name, scope, found.source, found.reader, own)
        }
        if let key = found.keyOfReader {
            reader.report(
                own.line(of: \.ofLayer.read), "surface \(name) has both 'read' and '\(key)'",
                "remove one: 'read' replaces how the answer is judged, and '\(key)' belongs to that")
        }
        let read = own.value(\.ofLayer.read).flatMap(readReader) ?? found.reader
        if scope != .host, let measure = read.measures.first(where: { $0.since == .change }) {
            reader.report(
                own.line(of: \.ofLayer.read),
                "measure \(measure.name) of surface \(name) has 'since', and is captured for many hosts",
                "remove 'since', or the scope: only a host has a first look after its change")
        }
        return surface(name, scope, found.source, read, own)
    }

    private func surface(
        _ name: String, _ scope: SurfaceScope, _ source: SurfaceSource, _ read: Reader, _ own: Section<SurfaceKeys>
    ) -> Surface {
        let every = own.value(\.ofLayer.everySeconds)
        if every != nil, scope != .host {
            reader.report(
                own.line(of: \.ofLayer.everySeconds),
                "surface '\(name)' has an interval and is not captured while hosts soak",
                "remove 'everySeconds': evidence with a scope is captured only at boundaries")
        }
        var read = read
        // Only a host has a first look after its change; a layer or the fleet is compared with what was accepted last.
        if scope != .host { for index in read.measures.indices { read.measures[index].since = nil } }
        return Surface(name: SurfaceName(name), scope: scope, source: source, reader: read, everySeconds: every)
    }

    /// Two items of the evidence family that must have the same value.
    func readAgreement(_ pair: ItemPair, _ evidence: EvidenceReading) -> Agreement? {
        let (references, isRead) = reader.whole { pair.items.compactMap(readReference) }
        guard references.count == 2 else {
            if pair.isWhole, isRead {
                reader.report(
                    pair.line, "\(pair.name) does not list two items",
                    "write [{surface: A, item: X}, {surface: B, item: X}]")
            }
            return nil
        }
        for reference in references { evidence.require(reference.surface, pair.line, reader) }
        if references[0] == references[1] {
            reader.report(
                pair.line, "\(pair.name) lists one item twice", "list the item that it must agree with, or remove it")
        }
        return Agreement(references[0], references[1])
    }

    func readReference(_ own: Section<ItemKeys>) -> ItemReference? {
        guard let surface = own.value(\.surface), let item = own.value(\.item) else { return nil }
        return ItemReference(surface: SurfaceName(surface), item: item)
    }

    // MARK: Readers

    private func readReader(_ own: Section<ReaderKeys>) -> Reader? {
        guard let shape = own.value(\.shape) else { return nil }
        for key in shape.ignored where own.has(key) {
            reader.report(
                own.line(ofKey: key), "\(own.name).\(key) is not used for the shape \(shape.rawValue)",
                "remove it, or choose the shape that has it")
        }
        let (measures, hasWholeMeasures) = reader.whole { own.value(\.measures).compactMap(readMeasure) }
        let result = Reader(
            shape: shape, format: own.value(\.format), contentTypes: own.value(\.contentTypes),
            require: own.value(\.require), items: own.value(\.items), key: own.value(\.key),
            status: own.value(\.status), whenPresent: own.value(\.whenPresent), healthy: own.value(\.healthy),
            unhealthy: own.value(\.unhealthy), uncheckedKeys: own.value(\.uncheckedKeys), measures: measures,
            timestamp: own.value(\.timestamp).flatMap(readTimestamp))
        for pointer in result.require.keys.sorted() { reader.checkPointer(pointer, own.line(of: \.require)) }
        let both = Set(result.healthy.map { $0.lowercased() }).intersection(result.unhealthy.map { $0.lowercased() })
        if let word = both.sorted().first {
            reader.report(
                own.line(of: \.healthy), "'\(word)' is listed as both healthy and unhealthy",
                "remove it from one of the lists")
        }
        if shape == .measures, measures.isEmpty, hasWholeMeasures, !own.isMisspelled(\.measures) {
            reader.report(own.line, "\(own.name) has no measures", "list at least one under 'measures'")
        }
        return result
    }

    private func readMeasure(_ own: Section<MeasureKeys>) -> Measure? {
        guard let name = own.value(\.name), let place = readPlace(of: own) else { return nil }
        let (measure, isWhole) = reader.whole {
            Measure(
                name: name, pointer: place.pointer, counts: place.counts, atLeast: own.value(\.atLeast),
                atMost: own.value(\.atMost),
                rise: own.value(\.rise).map(readTolerance), fall: own.value(\.fall).map(readTolerance),
                since: own.value(\.since))
        }
        if isWhole, own.hasKnownKeys, measure.atLeast == nil, measure.atMost == nil, measure.rise == nil,
            measure.fall == nil
        {
            reader.report(own.line, "\(own.name) has no limit", "write atLeast, atMost, rise or fall")
        }
        if isWhole, own.hasKnownKeys, measure.since != nil, measure.rise == nil, measure.fall == nil {
            reader.report(
                own.line(of: \.since), "\(own.name) compares nothing since the change",
                "write rise or fall, or remove 'since'")
        }
        if let least = measure.atLeast, let most = measure.atMost, least > most {
            reader.report(
                own.line, "\(own.name) can never be met: atLeast \(least) is more than atMost \(most)", "swap them")
        }
        return measure
    }

    /// Where a measure's number is: `pointer`, or `count` for how many elements are there.
    private func readPlace(of own: Section<MeasureKeys>) -> (pointer: String, counts: Bool?)? {
        guard own.field(\.count) != nil else {
            return own.requiredValue(\.pointer).map { ($0, nil) }
        }
        guard own.field(\.pointer) == nil else {
            reader.report(
                own.line(of: \.count), "\(own.name) has both 'pointer' and 'count'",
                "write 'pointer' for a number, or 'count' for how many elements a list has")
            return nil
        }
        return own.value(\.count).map { ($0, true) }
    }

    private func readTolerance(_ own: Section<ToleranceKeys>) -> Tolerance {
        let (tolerance, isWhole) = reader.whole {
            Tolerance(absolute: own.value(\.absolute), percent: own.value(\.percent))
        }
        let bounds = [tolerance.absolute, tolerance.percent].compactMap { $0 }
        if (isWhole && own.hasKnownKeys && bounds.isEmpty) || bounds.contains(where: { $0 < 0 }) {
            reader.report(
                own.line, "\(own.name) is not a valid tolerance", "write absolute, percent or both, 0 or more")
        }
        return tolerance
    }

    private func readTimestamp(_ own: Section<TimestampKeys>) -> TimestampRule? {
        guard let pointer = own.value(\.pointer), let age = own.value(\.maxAgeSeconds) else { return nil }
        return TimestampRule(pointer: pointer, maxAgeSeconds: age, perItem: own.value(\.perItem))
    }
}

extension ReaderShape {
    private static let keys = ReaderKeys()

    /// The keys that nothing is read of: whoever writes one expects something of it.
    fileprivate var ignored: [String] {
        let keys = ReaderShape.keys
        let words = [keys.healthy.name, keys.unhealthy.name, keys.uncheckedKeys.name]
        let fields = [keys.status.name, keys.whenPresent.name]
        return switch self {
        case .result: keys.names.filter { $0 != keys.shape.name }
        case .measures: [keys.items.name, keys.key.name] + fields + words
        case .value: fields + words
        case .items: [keys.key.name] + fields + words
        case .statusMap: [keys.key.name] + fields
        case .statusObjects: [keys.key.name]
        case .statusList: []
        }
    }
}
