import FileReading
import SafeText
import UpgradeDomain

/// A source as a plan file describes it, and what follows from its kind.
struct SourceReading {
    /// The key that names the kind.
    let key: String
    let source: SurfaceSource
    /// How the answer is judged if the plan does not say.
    var reader = Reader(shape: .result)
    /// A key of the source that the file has and that only counts in ``reader``.
    var keyOfReader: String?
    var version = VersionPlace.at("")

    /// Where the answer has the version of a component if the plan does not say.
    enum VersionPlace {
        case at(String)
        /// - Parameter words: continue "reads no version".
        case missing(_ words: String, remedy: String)

        var pointer: String {
            switch self {
            case .at(let pointer): pointer
            case .missing: ""
            }
        }
    }
}

extension PlanReading {
    /// The one kind that a surface or a component has.
    func readSource(_ own: Section<SourceKeys>) -> SourceReading? {
        let (keys, names) = (own.keys, own.keys.names)
        let written = [
            own.field(\.http), own.field(\.command), own.field(\.tcp), own.field(\.unit), own.field(\.container),
        ].compactMap { $0 }
        guard written.count == 1 else {
            if !own.isMisspelled(\.http), !own.isMisspelled(\.command), !own.isMisspelled(\.tcp),
                !own.isMisspelled(\.unit), !own.isMisspelled(\.container)
            {
                let words = names.dropLast().map { "'\($0):'" }.joined(separator: ", ")
                reader.report(
                    own.line, "\(own.name) needs one source", "write one of \(words) and '\(names.last ?? ""):'")
            }
            return nil
        }
        if let http = own.value(\.http) {
            return readHTTP(http).map { SourceReading(key: keys.http.name, source: .http($0)) }
        }
        if let command = own.value(\.command) {
            return readCommand(command).map { SourceReading(key: keys.command.name, source: .command($0)) }
        }
        if let tcp = own.value(\.tcp) { return readTCP(tcp, keys.tcp.name) }
        if let unit = own.value(\.unit) { return readUnit(unit, keys.unit.name) }
        return own.value(\.container).flatMap { readContainer($0, keys.container.name) }
    }
}

/// Evidence of commands.
extension PlanReading {
    func readCommand(_ own: Section<CommandKeys>) -> ScriptCommand? {
        guard let run = own.required(\.run) else { return nil }
        let (arguments, isWhole) = reader.whole { own.value(\.run) ?? [] }
        guard let first = arguments.first, !first.isEmpty else {
            if isWhole {
                reader.report(run.line, "\(own.name) runs nothing", "write the executable and its arguments")
            }
            return nil
        }
        for argument in arguments where argument.ends(with: ":latest") || argument == "latest" {
            reader.report(run.line, "argument '\(argument)' is floating", "write one exact version")
        }
        return ScriptCommand(
            arguments: arguments, workingDirectory: own.value(\.workingDirectory),
            environment: own.value(\.environment), timeoutSeconds: own.value(\.timeoutSeconds),
            script: own.value(\.script))
    }
}

/// Evidence over HTTP.
extension PlanReading {
    func readHTTP(_ own: Section<HTTPKeys>) -> HTTPSource? {
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
}

/// Evidence of TCP ports.
extension PlanReading {
    func readTCP(_ own: Section<TCPKeys>, _ key: String) -> SourceReading? {
        guard let port = own.value(\.port) else { return nil }
        let banner = own.value(\.banner)
        if banner?.utf8.contains(where: { $0 == 0x0a || $0 == 0x0d }) == true {
            reader.report(
                own.line(of: \.banner), "the banner has an end of line",
                "write how the first line begins, without its end")
        }
        var source = TCPSource(
            address: own.value(\.address), port: port, banner: banner, timeoutSeconds: own.value(\.timeoutSeconds))
        guard own.field(\.tls) != nil else {
            return SourceReading(
                key: key, source: .tcp(source),
                version: source.banner != nil
                    ? .at("")
                    : .missing("from its port", remedy: "write how the line with the version begins: 'banner: TEXT'"))
        }
        if own.field(\.banner) != nil {
            reader.report(
                own.line(of: \.banner), "\(own.name) has both a banner and tls",
                "remove one: what the service says over TLS is not read. Two surfaces can look at one port")
        }
        guard let section = own.value(\.tls), let found = readServiceTLS(section) else { return nil }
        source.tls = found
        return SourceReading(
            key: key, source: .tcp(source), reader: certificateReader(days: section.value(\.certificateDays)),
            keyOfReader: section.field(\.certificateDays).map { _ in section.keys.certificateDays.name },
            version: .missing("from its certificate", remedy: "ask what reports it: with http, a command or a banner"))
    }

    /// A renewal changes when the certificate ends, and a newer server may speak a newer TLS: neither diverges.
    private func certificateReader(days: Int) -> Reader {
        Reader(
            shape: .measures,
            measures: [
                Measure(name: "certificateDays", pointer: "/certificate/days", atLeast: Double(days)),
                Measure(name: "tlsVersion", pointer: "/tls/version", fall: Tolerance(absolute: 0)),
            ])
    }

    private func readServiceTLS(_ own: Section<ServiceTLSKeys>) -> ServiceTLS? {
        guard let name = own.value(\.serverName) else { return nil }
        if own.field(\.keyFile) != nil, own.field(\.certificateFile) == nil {
            reader.report(
                own.line(of: \.keyFile), "\(own.name) has a key without a certificate",
                "add certificateFile, or remove it")
        }
        return ServiceTLS(
            serverName: name, startTLS: own.value(\.startTLS), caFile: own.value(\.caFile),
            certificateFile: own.value(\.certificateFile), keyFile: own.value(\.keyFile))
    }
}

/// Evidence of systemd units.
extension PlanReading {
    func readUnit(_ unit: WrittenUnit, _ key: String) -> SourceReading {
        SourceReading(
            key: key, source: .unit(UnitSource(name: unit.name, timeoutSeconds: unit.timeoutSeconds)),
            reader: Reader(shape: .items, items: "/items", measures: [.restarts(allowed: unit.allowedRestarts)]),
            keyOfReader: unit.restartsKey,
            version: .missing("from a unit", remedy: "ask what reports it: with http, a command or a banner"))
    }
}

/// Evidence of containers.
extension PlanReading {
    func readContainer(_ own: Section<ContainerSourceKeys>, _ key: String) -> SourceReading? {
        guard let container = ContainerReference(own.part(\.container)) else { return nil }
        return SourceReading(
            key: key,
            source: .container(ContainerSource(container, timeoutSeconds: own.value(\.timeoutSeconds))),
            reader: Reader(
                shape: .items, items: "/items", measures: [.restarts(allowed: own.value(\.allowedRestarts))]),
            keyOfReader: own.field(\.allowedRestarts).map { _ in own.keys.allowedRestarts.name }, version: .at("/tag"))
    }
}

extension Measure {
    /// How often something was started again by itself, at `/restarts`.
    ///
    /// - Parameter allowed: how often it may be after the first look after the change.
    static func restarts(allowed: Int) -> Measure {
        Measure(name: "restarts", pointer: "/restarts", rise: Tolerance(absolute: Double(allowed)), since: .change)
    }
}

// MARK: Keys

// How to add one: see `Key`.

/// The restarts after a change that a plan can allow.
private let restartCounts = 0...1_000

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

/// A command that is run on a host.
struct CommandKeys: KeyTable {
    static let title = "command"
    static let meaning =
        "A command that runs on the host, as the user who logs in. Texts may have placeholders: `${host}`, `${to}` and the others."

    let run: Key<[String]?>
    let workingDirectory = Key(
        "workingDirectory", .text, "Where it runs.", otherwise: "the host's `workingDirectory`",
        example: "\"${workingDirectory}/deploy\"")
    let environment = Key(
        "environment", .textMap(), default: [:], "Environment variables that it gets in addition.",
        example: "{STAGE: \"${layer}\", WORKERS: 4}")
    let timeoutSeconds: Key<Int>
    let script = Key(
        "script", .text,
        "The script that `run` is about, where that is not one of its arguments, as with `bash -c`: its SHA-256 is recorded, and it is kept for a rollback.",
        otherwise: "the script among the arguments", example: "./scripts/check.sh")

    /// - Parameters:
    ///   - seconds: how long it may take where the file does not say.
    ///   - isCompleted: whether defaults may say what runs.
    init(within seconds: Int, isCompleted: Bool = false) {
        let remedy = "write the arguments as a list: run: [bash, ./scripts/x.sh]"
        run = Key(
            "run", .list(.text(TextRule(bytes: 0...Int.max, unquoted: .numbers)), count: 1...Int.max),
            presence: isCompleted ? .inherited(remedy) : .required(remedy),
            "The executable and its arguments. No shell reads them.", example: "[./scripts/redeploy.sh, \"${to}\"]")
        timeoutSeconds = Key(
            "timeoutSeconds", .integer(1...86_400), default: seconds, "How long it may take before it is ended.",
            example: "900")
    }
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

struct ServiceTLSKeys: KeyTable {
    static let title = "serviceTLS"
    static let meaning =
        "TLS of a port, verified by the host's `openssl`. Verification can not be disabled. Files are on the host, in PEM format."

    let serverName = Key(
        "serverName", .serverName, presence: .required("write the name that the certificate must be for"),
        "The host name, or the address, that the certificate must be for.", example: "db.example.net")
    let startTLS = Key(
        "startTLS", .word(StartTLS.self), "What is spoken before TLS begins.", otherwise: "TLS from the first byte",
        example: "postgres", with: "serverName: db.example.net")
    let caFile = Key(
        "caFile", .hostFile, "The authorities that may sign the service's certificate.", otherwise: "the host's",
        example: "/etc/stack/ca.pem", with: "serverName: db.example.net")
    let certificateFile = Key(
        "certificateFile", .hostFile, "A client certificate.", otherwise: "none", example: "/etc/stack/client.pem",
        with: "serverName: db.example.net")
    let keyFile = Key(
        "keyFile", .hostFile, "The key of the client certificate.", otherwise: "none", example: "/etc/stack/client.key",
        with: "serverName: db.example.net, certificateFile: /etc/stack/client.pem")
    let certificateDays = Key(
        "certificateDays", .integer(0...3_650), default: 14,
        "With fewer days until the service's certificate ends, it is unhealthy.", example: "30",
        with: "serverName: db.example.net")
}

struct UnitKeys: KeyTable {
    static let title = "unit"
    static let meaning = "A systemd unit of the system manager. `unit: NAME` is short for `unit: {name: NAME}`."

    let name = Key(
        "name", .unitName, presence: .required("name the unit, such as stack-api.service"), "The name of one unit.",
        example: "stack-api.service")
    let allowedRestarts = Key(
        "allowedRestarts", .integer(restartCounts), default: 0,
        "How often it may be started again by itself after the first look after the change.", example: "2",
        with: "name: stack-api.service")
    let timeoutSeconds = Key(
        "timeoutSeconds", .integer(1...600), default: PlanDefaults.requestTimeoutSeconds, "For the answer of systemd.",
        example: "5", with: "name: stack-api.service")
}

/// A unit as it is written: its name alone, or a mapping.
struct WrittenUnit {
    let name: String
    var allowedRestarts = 0
    var timeoutSeconds = PlanDefaults.requestTimeoutSeconds
    /// The key that says how often it may be started again, if the file has it.
    var restartsKey: String?
}

struct ContainerSourceKeys: KeyTable {
    static let title = "containerSource"
    static let meaning = "A container of the host, inspected with the command of its engine."

    let container = ContainerKeys()
    let allowedRestarts = Key(
        "allowedRestarts", .integer(restartCounts), default: 0,
        "How often it may be started again by itself after the first look after the change.", example: "2")
    let timeoutSeconds = Key(
        "timeoutSeconds", .integer(1...600), default: PlanDefaults.requestTimeoutSeconds,
        "For the answer of the engine.", example: "5")
}

// MARK: Forms

extension Form where Value == String {
    // What these hold is checked for each host, with its placeholders replaced: see ``RequestRule``.

    fileprivate static var hostFile: Form { text(TextRule("absolute path", pattern: "^(/|\\$\\{)")) }

    fileprivate static var serverName: Form { text(TextRule("host name or address", bytes: 1...Int.max)) }

    fileprivate static var unitName: Form {
        text(TextRule("unit", pattern: "^[^-\\s*?\\[\\]/][^\\s*?\\[\\]/]*$"))
    }
}

extension Form where Value == WrittenUnit {
    static var unit: Form {
        let name = Form<String>.unitName
        let whole = Form<Section<UnitKeys>>.mapping(UnitKeys())
        return Form(.either([name.type, whole.type])) { reader, field in
            guard field.isMapping else { return name.read(reader, field).map { WrittenUnit(name: $0) } }
            guard let own = whole.read(reader, field), let name = own.value(\.name) else { return nil }
            return WrittenUnit(
                name: name, allowedRestarts: own.value(\.allowedRestarts), timeoutSeconds: own.value(\.timeoutSeconds),
                restartsKey: own.field(\.allowedRestarts).map { _ in own.keys.allowedRestarts.name })
        }
    }
}
