import FileReading
import SafeText
import UpgradeDomain

// The keys of surfaces: where they look, and how they read the answer. How to add one: see `Key`.

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

/// The ways to look at something; an entry has one of them.
struct SourceKeys: KeyGroup {
    let http = Key(
        "http", .mapping(HTTPKeys()), "A GET from the host itself.", example: "{url: \"${baseURL}/health\"}")
    let command = Key(
        "command", .mapping(CommandKeys(within: PlanDefaults.checkTimeoutSeconds)),
        "A command whose standard output is read.", example: "{run: [./scripts/replication-state.sh]}")
    let tcp = Key(
        "tcp", .mapping(TCPKeys()), "A connection to a port, for services without HTTP.",
        example: "{port: 22, banner: SSH-2.0-}")
    let unit = Key(
        "unit", .unit,
        "A systemd unit: its state, and how often systemd started it again by itself. It has no version, so it is not for a component.",
        example: "stack-api.service")
    let container = Key(
        "container", .mapping(ContainerSourceKeys()),
        "A container of the host: its state, its image, and how often its engine started it again by itself.",
        example: "{engine: docker, name: api}")
}

struct TCPKeys: KeyTable {
    static let title = "tcp"
    static let meaning = "A connection to a port, and what the service sends first."
    /// As much as an agent reads.
    static let bannerBytes = 512
    private static let unset = TCPSource(port: 1, timeoutSeconds: PlanDefaults.requestTimeoutSeconds)

    let port = Key(
        "port", .integer(1...65_535), presence: .required("write the port that the service listens on"),
        "The port that must accept.", example: "5432")
    let address = Key(
        "address", .text, default: TCPKeys.unset.address, "An address, not a name.", example: "\"${address}\"")
    let banner = Key(
        "banner", .text(bytes: 1...TCPKeys.bannerBytes), "How what the service sends first must begin.",
        otherwise: "only the connection counts", example: "SSH-2.0-")
    let timeoutSeconds = Key(
        "timeoutSeconds", .integer(1...600), default: TCPKeys.unset.timeoutSeconds,
        "For the connection and the banner together.", example: "5")
    let tls = Key(
        "tls", .mapping(ServiceTLSKeys()),
        "The service must speak TLS and prove who it is. Not together with `banner`.", otherwise: "no TLS",
        example: "{serverName: db.example.net}")
}

struct HTTPKeys: KeyTable {
    static let title = "http"
    static let meaning = "A GET from the host itself. A redirect counts as an answer and is not followed."
    private static let unset = HTTPSource(url: "", timeoutSeconds: PlanDefaults.requestTimeoutSeconds)

    let url = Key(
        "url", .text, presence: .required("write the URL, such as \"${baseURL}/api/v1/platform/services\""),
        "The URL, usually below `${baseURL}`.", example: "\"${baseURL}/health\"")
    let headers = Key(
        "headers", .textMap(TextRule("header name")), default: [:], "Headers to send.",
        example: "{Accept: application/json}")
    let secretHeaders = Key(
        "secretHeaders", .map(TextRule("header name"), .mapping(SecretKeys())), default: [],
        "Headers whose values are in files on the host. They are read there and never leave it.",
        example: "{Authorization: {file: /etc/stack/token, prefix: \"Bearer \"}}")
    let acceptedStatuses = Key(
        "acceptedStatuses", .list(.integer(100...599), count: 1...500), default: HTTPKeys.unset.acceptedStatuses,
        "The statuses that count as an answer. Any other is unknown.", example: "[200, 503]")
    let timeoutSeconds = Key(
        "timeoutSeconds", .integer(1...600), default: HTTPKeys.unset.timeoutSeconds, "For all attempts together.",
        example: "30")
    let retriesWhenLimited = Key(
        "retriesWhenLimited", .integer(0...10), default: HTTPKeys.unset.retriesWhenLimited,
        "How often a request is retried after a 429, with the pause that the answer names.", example: "5")
    let fleetRequestsPerSecond = Key(
        "fleetRequestsPerSecond", .integer(1...1_000),
        "For an API that the whole fleet shares: how many requests it gets per second.", otherwise: "no limit",
        example: "20")
    let tls = Key(
        "tls", .mapping(TLSKeys()), "Files on the host for TLS. The server is always verified.",
        otherwise: "the host's certificate authorities", example: "{caFile: /etc/stack/ca.pem}")
}

struct SecretKeys: KeyTable {
    static let title = "secret"
    static let meaning = "The value of a header, from a file on the host."

    let file = Key(
        "file", .text, presence: .required("name a file on the host that holds the secret"),
        "A file on the host. Its text never leaves it.", example: "/etc/stack/token")
    let prefix = Key(
        "prefix", .text(TextRule(bytes: 0...Int.max)), default: "", "What comes before the secret.",
        example: "\"Bearer \"")
}

struct TLSKeys: KeyTable {
    static let title = "tls"
    static let meaning = "Files on the host, in PEM format."

    let caFile = Key(
        "caFile", .text, "The authorities that may sign the server's certificate.",
        otherwise: "the host's", example: "/etc/stack/ca.pem")
    let certificateFile = Key(
        "certificateFile", .text, "A client certificate.", otherwise: "none", example: "/etc/stack/client.pem",
        with: "keyFile: /etc/stack/client.key")
    let keyFile = Key(
        "keyFile", .text, "The key of the client certificate.", otherwise: "none", example: "/etc/stack/client.key",
        with: "certificateFile: /etc/stack/client.pem")
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
