import FileReading
import SafeText
import UpgradeDomain

extension PlanFile {
    static let surfaceKeys = ["name", "scope", "http", "command", "tcp", "read", "everySeconds"]
    static let tcpKeys = ["address", "port", "banner", "timeoutSeconds"]
    /// As much as an agent reads.
    static let bannerBytes = 512
    static let httpKeys = [
        "url", "headers", "secretHeaders", "acceptedStatuses", "timeoutSeconds", "retriesWhenLimited",
        "fleetRequestsPerSecond", "tls",
    ]
    static let secretKeys = ["file", "prefix"]
    static let tlsKeys = ["caFile", "certificateFile", "keyFile"]
    static let readerKeys = [
        "shape", "format", "contentTypes", "require", "items", "key", "status", "whenPresent", "healthy", "unhealthy",
        "uncheckedKeys", "measures", "timestamp",
    ]
    static let measureKeys = ["name", "pointer", "atLeast", "atMost", "rise", "fall"]
    static let toleranceKeys = ["absolute", "percent"]
    static let timestampKeys = ["pointer", "maxAgeSeconds", "perItem"]
    static let referenceKeys = ["surface", "item"]
}

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
        let (surfaces, isWhole) = reader.whole { section.list("evidence").compactMap(readSurface) }
        let bare = layers.first { $0.evidence == nil }
        let areLayersKnown = hasWholeLayers || section.field("layers") == nil
        if surfaces.isEmpty, areLayersKnown, bare != nil || layers.isEmpty {
            section.reportMissing(
                "evidence", bare.map { "layer \($0.name) has no evidence" } ?? "the plan has no evidence",
                "list the surfaces to compare before and after, for all layers or in each", ifWhole: isWhole)
        }
        return EvidenceReading(
            shared: surfaces, own: layers.flatMap { $0.evidence ?? [] },
            isWhole: isWhole && hasWholeLayers && !section.isMisspelled("evidence"))
    }

    func readSurface(_ field: Field) -> Surface? {
        guard let own = Section(field, known: PlanFile.surfaceKeys, reader),
            let name = own.requiredName("surface", .word), let source = readSource(own)
        else { return nil }
        let read = own.field("read").flatMap(readReader) ?? Reader(shape: .result)
        let surface = Surface(
            name: SurfaceName(name), scope: readScope(own), source: source, reader: read,
            everySeconds: own.integer("everySeconds", in: 1...86_400))
        if surface.everySeconds != nil, surface.scope != .host {
            reader.report(
                own.line(of: "everySeconds"), "surface '\(name)' has an interval and is not captured while hosts soak",
                "remove 'everySeconds': evidence with a scope is captured only at boundaries")
        }
        return surface
    }

    private func readScope(_ own: Section) -> SurfaceScope {
        guard let field = own.field("scope") else { return .host }
        guard field.isMapping else {
            if reader.text(field) != "host" {
                reader.report(
                    field.line, "this is not a scope",
                    "write 'host', '{layer: HOST}' or '{fleet: HOST}', where HOST captures it")
            }
            return .host
        }
        let pairs = reader.pairs(field)
        guard let (key, value) = pairs.first, pairs.count == 1 else {
            reader.report(
                field.line, "\(field.name) has \(counted(pairs.count, "scope")), not one",
                "write 'host', '{layer: HOST}' or '{fleet: HOST}'")
            return .host
        }
        guard let host = reader.text(value) else { return .host }
        switch key {
        case "layer": return .layer(vantage: HostName(host))
        case "fleet": return .fleet(vantage: HostName(host))
        default:
            reader.report(value.line, "'\(key)' is not a scope", "write layer or fleet")
            return .host
        }
    }

    /// Two items of the evidence family that must have the same value.
    func readAgreement(_ field: Field, _ evidence: EvidenceReading) -> Agreement? {
        let (references, isWhole) = reader.whole { reader.list(field).compactMap(readReference) }
        guard references.count == 2 else {
            if isWhole {
                reader.report(
                    field.line, "\(field.name) does not list two items",
                    "write [{surface: A, item: X}, {surface: B, item: X}]")
            }
            return nil
        }
        for reference in references { evidence.require(reference.surface, field.line, reader) }
        return Agreement(references[0], references[1])
    }

    func readReference(_ field: Field) -> ItemReference? {
        guard let own = Section(field, known: PlanFile.referenceKeys, reader),
            let surface = own.requiredText("surface", "name the surface"),
            let item = own.requiredText("item", "name the item")
        else { return nil }
        return ItemReference(surface: SurfaceName(surface), item: item)
    }

    // MARK: Sources

    /// One of `http`, `command` and `tcp`.
    func readSource(_ own: Section) -> SurfaceSource? {
        let kinds = ["http", "command", "tcp"]
        let written = kinds.compactMap { own.field($0) }
        guard let field = written.first, written.count == 1 else {
            if !kinds.contains(where: own.isMisspelled) {
                reader.report(own.line, "\(own.name) needs one source", "write one of 'http:', 'command:' and 'tcp:'")
            }
            return nil
        }
        if own.field("http") != nil { return readHTTP(field).map(SurfaceSource.http) }
        if own.field("command") != nil { return readCommand(field).map(SurfaceSource.command) }
        return readTCP(field).map(SurfaceSource.tcp)
    }

    private func readTCP(_ field: Field) -> TCPSource? {
        guard let own = Section(field, known: PlanFile.tcpKeys, reader),
            let port = own.requiredInteger("port", in: 1...65_535, "write the port that the service listens on")
        else { return nil }
        if own.text("banner")?.utf8.contains(where: { $0 == 0x0a || $0 == 0x0d }) == true {
            reader.report(
                own.line(of: "banner"), "the banner has an end of line",
                "write how the first line begins, without its end")
        }
        if let banner = own.text("banner"), banner.isEmpty || banner.utf8.count > PlanFile.bannerBytes {
            reader.report(
                own.line(of: "banner"), "the banner has \(counted(banner.utf8.count, "byte"))",
                "write 1 to \(PlanFile.bannerBytes) bytes, or leave it out")
        }
        var source = TCPSource(
            port: port, banner: own.text("banner"),
            timeoutSeconds: own.integer("timeoutSeconds", in: 1...600) ?? PlanDefaults.requestTimeoutSeconds)
        source.address = own.text("address") ?? source.address
        return source
    }

    private func readHTTP(_ field: Field) -> HTTPSource? {
        guard let own = Section(field, known: PlanFile.httpKeys, reader),
            let url = own.requiredText("url", "write the URL, such as \"${baseURL}/api/v1/platform/services\"")
        else { return nil }
        let statuses = own.field("acceptedStatuses").map {
            reader.list($0).compactMap { reader.integer($0, in: 100...599) }
        }
        var source = HTTPSource(
            url: url, headers: own.textMap("headers") ?? [:], acceptedStatuses: statuses ?? [200],
            timeoutSeconds: own.integer("timeoutSeconds", in: 1...600) ?? PlanDefaults.requestTimeoutSeconds,
            fleetRequestsPerSecond: own.integer("fleetRequestsPerSecond", in: 1...1_000))
        source.retriesWhenLimited = own.integer("retriesWhenLimited", in: 0...10) ?? source.retriesWhenLimited
        let secrets = own.field("secretHeaders").map { reader.pairs($0) } ?? []
        for header in secrets {
            guard let secret = Section(header.value, known: PlanFile.secretKeys, reader),
                let file = secret.requiredText("file", "name a file on the host that holds the secret")
            else { continue }
            source.secretHeaders[header.key] = SecretReference(file: file, prefix: secret.text("prefix") ?? "")
        }
        if let tls = own.field("tls").flatMap({ Section($0, known: PlanFile.tlsKeys, reader) }) {
            source.tls = TLSOptions(
                caFile: tls.text("caFile"), certificateFile: tls.text("certificateFile"), keyFile: tls.text("keyFile"))
        }
        return source
    }

    // MARK: Readers

    private func readReader(_ field: Field) -> Reader? {
        guard let own = Section(field, known: PlanFile.readerKeys, reader),
            let word = own.requiredText(
                "shape", "write one of: \(ReaderShape.allCases.map(\.rawValue).joined(separator: ", "))"),
            let shape = choice(word, ReaderShape.self, own.line(of: "shape"))
        else { return nil }
        var result = Reader(shape: shape)
        if let format = own.text("format") {
            result.format = choice(format, BodyFormat.self, own.line(of: "format")) ?? .json
        }
        result.contentTypes = own.texts("contentTypes") ?? []
        result.require = own.textMap("require") ?? [:]
        for pointer in result.require.keys.sorted() { checkPointer(pointer, own.line(of: "require")) }
        result.items = pointer(own, "items") ?? result.items
        result.key = own.field("key").map { readKey($0) } ?? result.key
        result.status = own.text("status") ?? result.status
        result.whenPresent = own.texts("whenPresent") ?? []
        result.healthy = own.texts("healthy") ?? result.healthy
        result.unhealthy = own.texts("unhealthy") ?? result.unhealthy
        result.uncheckedKeys = own.texts("uncheckedKeys") ?? []
        let (measures, hasWholeMeasures) = reader.whole { own.list("measures").compactMap(readMeasure) }
        result.measures = measures
        let both = Set(result.healthy.map { $0.lowercased() }).intersection(result.unhealthy.map { $0.lowercased() })
        if let word = both.sorted().first {
            reader.report(
                own.line(of: "healthy"), "'\(word)' is listed as both healthy and unhealthy",
                "remove it from one of the lists")
        }
        if shape == .measures, measures.isEmpty, hasWholeMeasures, !own.isMisspelled("measures") {
            reader.report(own.line, "\(field.name) has no measures", "list at least one under 'measures'")
        }
        result.timestamp = own.field("timestamp").flatMap(readTimestamp)
        return result
    }

    private func readKey(_ field: Field) -> [String] {
        if field.isList { return reader.list(field).compactMap(reader.text) }
        return reader.text(field).map { [$0] } ?? []
    }

    private func readMeasure(_ field: Field) -> Measure? {
        guard let own = Section(field, known: PlanFile.measureKeys, reader),
            let name = own.requiredText("name", "give the number a name"),
            own.required("pointer", "write where the number is, such as /queue/depth") != nil,
            let pointer = pointer(own, "pointer")
        else { return nil }
        let (measure, isWhole) = reader.whole {
            Measure(
                name: name, pointer: pointer, atLeast: own.number("atLeast"), atMost: own.number("atMost"),
                rise: own.field("rise").flatMap(readTolerance), fall: own.field("fall").flatMap(readTolerance))
        }
        if isWhole, own.hasKnownKeys, measure.atLeast == nil, measure.atMost == nil, measure.rise == nil,
            measure.fall == nil
        {
            reader.report(field.line, "\(field.name) has no limit", "write atLeast, atMost, rise or fall")
        }
        if let least = measure.atLeast, let most = measure.atMost, least > most {
            reader.report(
                field.line, "\(field.name) can never be met: atLeast \(least) is more than atMost \(most)", "swap them")
        }
        return measure
    }

    private func readTolerance(_ field: Field) -> Tolerance? {
        guard let own = Section(field, known: PlanFile.toleranceKeys, reader) else { return nil }
        let (tolerance, isWhole) = reader.whole {
            Tolerance(absolute: own.number("absolute"), percent: own.number("percent"))
        }
        let bounds = [tolerance.absolute, tolerance.percent].compactMap { $0 }
        if (isWhole && own.hasKnownKeys && bounds.isEmpty) || bounds.contains(where: { $0 < 0 }) {
            reader.report(
                field.line, "\(field.name) is not a valid tolerance", "write absolute, percent or both, 0 or more")
        }
        return tolerance
    }

    private func readTimestamp(_ field: Field) -> TimestampRule? {
        guard let own = Section(field, known: PlanFile.timestampKeys, reader),
            own.required("pointer", "write where the time is, such as /generatedAt") != nil,
            let pointer = pointer(own, "pointer"),
            let age = own.requiredInteger("maxAgeSeconds", in: 1...86_400, "write how old it may be")
        else { return nil }
        return TimestampRule(pointer: pointer, maxAgeSeconds: age, perItem: own.flag("perItem") ?? false)
    }

    func pointer(_ own: Section, _ key: String) -> String? {
        guard let text = own.text(key) else { return nil }
        checkPointer(text, own.line(of: key))
        return text
    }

    private func checkPointer(_ text: String, _ line: Int) {
        if text.isEmpty || text.begins(with: "/") { return }
        reader.report(line, "'\(text)' is not a JSON Pointer", "write it as /data/services")
    }
}
