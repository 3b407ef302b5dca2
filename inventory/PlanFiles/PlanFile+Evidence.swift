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

// MARK: Keys

// How to add one: see `Key`.

/// A surface of a layer: on each of its hosts.
struct LayerSurfaceKeys: KeyTable {
    static let title = "layerSurface"
    static let meaning =
        "A surface of a layer, captured on each of its hosts. What it leaves out comes from the surface with its name in `layerDefaults`."

    let name = Key(
        "name", .name("surface", .word), presence: .required("give the surface a name"),
        "The name, unique among the surfaces of a host.", example: "services")
    let source = SourceKeys()
    let read = Key(
        "read", .mapping(ReaderKeys()), "How the answer is read.",
        otherwise: "the HTTP status or the exit code alone", example: "{shape: statusMap}")
    let everySeconds = Key(
        "everySeconds", .integer(1...86_400),
        "How often it is captured while a host soaks. Every gate, and the look that ends a soak, captures it in any case.",
        otherwise: "with every sample", example: "60")
}

struct SurfaceKeys: KeyTable {
    static let title = "surface"
    static let meaning = "A source of evidence, with one of the ways to look, and how the answer is read."

    let ofLayer = LayerSurfaceKeys()
    let scope = Key(
        "scope", .scope, default: .host,
        "On which hosts it is captured: on every one (`host`), or once, from one host, for its layer or for the fleet.",
        example: "{fleet: core-1}")

    var alternatives: [String] { ofLayer.source.names }
}

struct ScopeKeys: KeyTable {
    static let title = "scope"
    static let meaning = "The host that captures a surface once."

    let layer = Key(
        "layer", .text(TextRule("host name", grammar: .machine)), "The host that captures it for its layer.",
        example: "core-1")
    let fleet = Key(
        "fleet", .text(TextRule("host name", grammar: .machine)), "The host that captures it for the fleet.",
        example: "core-1")

    var alternatives: [String] { names }
}

struct ReaderKeys: KeyTable {
    static let title = "read"
    static let meaning = "How an answer becomes items."
    private static let unset = Reader(shape: .result)

    let shape = Key(
        "shape", .word(ReaderShape.self), presence: .required(oneOf: ReaderShape.self),
        "`statusList`: an array of objects. `statusMap`: names and statuses. `statusObjects`: names and objects. `measures`: numbers only. `value`: one value, such as a version. `result`: the HTTP status or exit code. `items`: an array of `{key, value, health}` from a script of your own.",
        example: "statusMap")
    let format = Key(
        "format", .word(BodyFormat.self), default: ReaderKeys.unset.format,
        "One JSON document; one per line, which are read as an array; or lines of names and values, such as `name: value`.",
        example: "jsonLines")
    let contentTypes = Key(
        "contentTypes", .list(.text), default: [], "The media types to accept, instead of those of JSON.",
        example: "[application/health+json]")
    let require = Key(
        "require", .textMap(.pointer), default: [:],
        "Values that the document must have. This refuses an error that comes with HTTP 200.",
        example: "{/status: success}")
    let items = Key(
        "items", .pointer, default: ReaderKeys.unset.items, "Where the items are; \"\" is the whole document.",
        example: "/data/services")
    let key = Key(
        "key", .textOrTexts, default: ReaderKeys.unset.key,
        "The field that names an item of a list; several are joined with `/`. For a `value`: the item's name.",
        example: "[Node, CheckID]", with: "shape: statusList")
    let status = Key(
        "status", .text, default: ReaderKeys.unset.status, "The field with an item's status.", example: "state",
        with: "shape: statusList")
    let whenPresent = Key(
        "whenPresent", .list(.text), default: [], "Further states, checked only if they are present and not empty.",
        example: "[replication]", with: "shape: statusList")
    let healthy = Key(
        "healthy", .list(.text, count: 1...Int.max), default: ReaderKeys.unset.healthy,
        "The words that mean healthy; case is ignored.",
        example: "[healthy, up]")
    let unhealthy = Key(
        "unhealthy", .list(.text), default: ReaderKeys.unset.unhealthy,
        "The words that mean unhealthy; case is ignored.", example: "[unhealthy, down]")
    let uncheckedKeys = Key(
        "uncheckedKeys", .list(.text), default: [],
        "Items without a health check by design: it is enough that they are present.", example: "[cron]")
    let measures = Key(
        "measures", .list(.mapping(MeasureKeys())), default: [],
        "Numbers beside the items, or the only content of the shape `measures`.",
        example: "[{name: queue, pointer: /queue/depth, atMost: 100}]")
    let timestamp = Key(
        "timestamp", .mapping(TimestampKeys()), "How old the answer may be.", otherwise: "its age is not checked",
        example: "{pointer: /generatedAt, maxAgeSeconds: 60}")
}

struct MeasureKeys: KeyTable {
    static let title = "measure"
    static let meaning =
        "A number, the range that it must stay in, and how far it may move from the baseline."

    let name = Key(
        "name", .text, presence: .required("give the number a name"), "The name of its item.", example: "queue",
        with: "atMost: 100")
    let pointer = Key(
        "pointer", .pointer, presence: .inherited("write where the number is, such as /queue/depth"),
        "Where the number is. A measure has this or `count`.", example: "/queue/depth", with: "atMost: 100")
    let count = Key(
        "count", .pointer, "Where the list or mapping is whose elements are counted.", otherwise: "nothing is counted",
        example: "/data/alerts", with: "atMost: 100")
    let atLeast = Key("atLeast", .number, "Below it the item is unhealthy.", otherwise: "no limit", example: "1")
    let atMost = Key("atMost", .number, "Above it the item is unhealthy.", otherwise: "no limit", example: "100")
    let rise = Key(
        "rise", .mapping(ToleranceKeys()), "How far it may rise above the baseline.", otherwise: "any distance",
        example: "{percent: 10}")
    let fall = Key(
        "fall", .mapping(ToleranceKeys()), "How far it may fall below the baseline.", otherwise: "any distance",
        example: "{absolute: 2}")
    let since = Key(
        "since", .word(MeasuredSince.self),
        "`change`: `rise` and `fall` count from the first look after the change, as with a count of restarts.",
        otherwise: "from the baseline", example: "change", with: "rise: {absolute: 0}")

    var alternatives: [String] { [pointer.name, count.name] }
    var choices: [String] { [atLeast.name, atMost.name, rise.name, fall.name] }
}

struct ToleranceKeys: KeyTable {
    static let title = "tolerance"
    static let meaning = "A distance from the baseline, in one way or both: then the wider one counts."

    let absolute = Key(
        "absolute", .number(atLeast: 0), "The distance as a number.", otherwise: "`percent` alone", example: "2")
    let percent = Key(
        "percent", .number(atLeast: 0), "The distance in percent of the baseline.", otherwise: "`absolute` alone",
        example: "10")

    var choices: [String] { names }
}

struct TimestampKeys: KeyTable {
    static let title = "timestamp"
    static let meaning = "Where an answer says how old it is, and how old it may be."

    let pointer = Key(
        "pointer", .pointer, presence: .required("write where the time is, such as /generatedAt"),
        "Where the time is: RFC 3339, or seconds since 1970.", example: "/generatedAt")
    let maxAgeSeconds = Key(
        "maxAgeSeconds", .integer(1...86_400), presence: .required("write how old it may be"), "How old it may be.",
        example: "60")
    let perItem = Key("perItem", .flag, default: false, "Each item has a time of its own.", example: "true")
}

struct ItemKeys: KeyTable {
    static let title = "item"
    static let meaning = "An item of a surface."

    let surface = Key(
        "surface", .text(TextRule("surface name", grammar: .word)), presence: .required("name the surface"),
        "The surface.",
        example: "services")
    let item = Key("item", .text, presence: .required("name the item"), "The key of the item.", example: "scheduler")
}

// MARK: Forms

/// A list that should have two items.
struct ItemPair {
    let name: String
    let line: Int
    let items: [Section<ItemKeys>]
    /// Whether no problem was found in it.
    let isWhole: Bool
}

extension Form where Value == ItemPair {
    static var itemPair: Form {
        let items = Form<[Section<ItemKeys>]>.list(.mapping(ItemKeys()), count: 2...2)
        return Form(items.type) { reader, field in
            let (read, isWhole) = reader.whole { items.read(reader, field) ?? [] }
            return ItemPair(name: field.name, line: field.line, items: read, isWhole: isWhole)
        }
    }
}

extension Form where Value == SurfaceScope {
    fileprivate static var scope: Form {
        let keys = ScopeKeys()
        let shown: @Sendable (SurfaceScope) -> String? = { $0 == .host ? "\"host\"" : nil }
        return Form(.either([.word(["host"]), .mapping(keys)]), shown: shown) { reader, field in
            let remedy = "write 'host', '{layer: HOST}' or '{fleet: HOST}'"
            guard field.isMapping else {
                if reader.text(field) == "host" { return .host }
                reader.report(field.line, "this is not a scope", remedy + ", where HOST captures it")
                return nil
            }
            let pairs = reader.pairs(field)
            guard let (key, value) = pairs.first, pairs.count == 1 else {
                reader.report(
                    field.line, "\(field.name) has \(counted(pairs.count, "scope")), not one", remedy)
                return nil
            }
            guard let host = reader.text(value) else { return nil }
            if key == keys.layer.name { return .layer(vantage: HostName(host)) }
            if key == keys.fleet.name { return .fleet(vantage: HostName(host)) }
            reader.report(value.line, "'\(key)' is not a scope", "write layer or fleet")
            return nil
        }
    }
}

extension Form where Value == [String] {
    /// A text, or a list of them.
    fileprivate static var textOrTexts: Form {
        let one = Form<String>.text
        let several = Form<[String]>.list(one, count: 1...Int.max)
        return Form(.either([one.type, several.type]), shown: several.shown) { reader, field in
            field.isList ? several.read(reader, field) : one.read(reader, field).map { [$0] } ?? []
        }
    }
}

extension TextRule {
    static let pointer = TextRule("JSON Pointer", pattern: "^(/.*)?$", bytes: 0...Int.max)
}

extension Form where Value == String {
    static var pointer: Form {
        text(.pointer) { reader, field, text in
            reader.checkPointer(text, field.line)
            return text
        }
    }
}

extension FileReader {
    func checkPointer(_ text: String, _ line: Int) {
        let hasEscapes = text.pieces(separatedBy: "~").dropFirst().allSatisfy {
            $0.begins(with: "0") || $0.begins(with: "1")
        }
        if text.isEmpty || text.begins(with: "/"), hasEscapes { return }
        report(
            line, "'\(text)' is not a JSON Pointer",
            hasEscapes ? "write it as /data/services" : "write '~0' for '~', and '~1' for '/' in a name")
    }
}
