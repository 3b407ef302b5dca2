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
        guard let name = own.value(\.ofLayer.name), let source = readSource(own.part(\.ofLayer.source)) else {
            return nil
        }
        let read = own.value(\.ofLayer.read).flatMap(readReader) ?? Reader(shape: .result)
        let surface = Surface(
            name: SurfaceName(name), scope: own.value(\.scope), source: source, reader: read,
            everySeconds: own.value(\.ofLayer.everySeconds))
        if surface.everySeconds != nil, surface.scope != .host {
            reader.report(
                own.line(of: \.ofLayer.everySeconds),
                "surface '\(name)' has an interval and is not captured while hosts soak",
                "remove 'everySeconds': evidence with a scope is captured only at boundaries")
        }
        return surface
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
        return Agreement(references[0], references[1])
    }

    func readReference(_ own: Section<ItemKeys>) -> ItemReference? {
        guard let surface = own.value(\.surface), let item = own.value(\.item) else { return nil }
        return ItemReference(surface: SurfaceName(surface), item: item)
    }

    // MARK: Sources

    /// One of the ways to look.
    func readSource(_ own: Section<SourceKeys>) -> SurfaceSource? {
        let names = own.keys.names
        let written = [own.field(\.http), own.field(\.command), own.field(\.tcp)].compactMap { $0 }
        guard written.count == 1 else {
            if !own.isMisspelled(\.http), !own.isMisspelled(\.command), !own.isMisspelled(\.tcp) {
                let words = names.dropLast().map { "'\($0):'" }.joined(separator: ", ")
                reader.report(
                    own.line, "\(own.name) needs one source", "write one of \(words) and '\(names.last ?? ""):'")
            }
            return nil
        }
        if let http = own.value(\.http) { return readHTTP(http).map(SurfaceSource.http) }
        if let command = own.value(\.command) { return readCommand(command).map(SurfaceSource.command) }
        return own.value(\.tcp).flatMap(readTCP).map(SurfaceSource.tcp)
    }

    private func readTCP(_ own: Section<TCPKeys>) -> TCPSource? {
        guard let port = own.value(\.port) else { return nil }
        let banner = own.value(\.banner)
        if banner?.utf8.contains(where: { $0 == 0x0a || $0 == 0x0d }) == true {
            reader.report(
                own.line(of: \.banner), "the banner has an end of line",
                "write how the first line begins, without its end")
        }
        return TCPSource(
            address: own.value(\.address), port: port, banner: banner, timeoutSeconds: own.value(\.timeoutSeconds))
    }

    private func readHTTP(_ own: Section<HTTPKeys>) -> HTTPSource? {
        guard let url = own.value(\.url) else { return nil }
        var source = HTTPSource(
            url: url, headers: own.value(\.headers), acceptedStatuses: own.value(\.acceptedStatuses),
            timeoutSeconds: own.value(\.timeoutSeconds), retriesWhenLimited: own.value(\.retriesWhenLimited),
            fleetRequestsPerSecond: own.value(\.fleetRequestsPerSecond))
        for header in own.value(\.secretHeaders) {
            guard let secret = header.value, let file = secret.value(\.file) else { continue }
            source.secretHeaders[header.key] = SecretReference(file: file, prefix: secret.value(\.prefix))
        }
        source.tls = own.value(\.tls).map { tls in
            TLSOptions(
                caFile: tls.value(\.caFile), certificateFile: tls.value(\.certificateFile),
                keyFile: tls.value(\.keyFile))
        }
        return source
    }

    // MARK: Readers

    private func readReader(_ own: Section<ReaderKeys>) -> Reader? {
        guard let shape = own.value(\.shape) else { return nil }
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
        guard let name = own.value(\.name), let pointer = own.value(\.pointer) else { return nil }
        let (measure, isWhole) = reader.whole {
            Measure(
                name: name, pointer: pointer, atLeast: own.value(\.atLeast), atMost: own.value(\.atMost),
                rise: own.value(\.rise).map(readTolerance), fall: own.value(\.fall).map(readTolerance))
        }
        if isWhole, own.hasKnownKeys, measure.atLeast == nil, measure.atMost == nil, measure.rise == nil,
            measure.fall == nil
        {
            reader.report(own.line, "\(own.name) has no limit", "write atLeast, atMost, rise or fall")
        }
        if let least = measure.atLeast, let most = measure.atMost, least > most {
            reader.report(
                own.line, "\(own.name) can never be met: atLeast \(least) is more than atMost \(most)", "swap them")
        }
        return measure
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
