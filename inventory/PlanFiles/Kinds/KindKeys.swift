import FileReading
import SafeText
import UpgradeDomain

// The keys of the kinds of evidence that have several. How to add one: see `Key`.

/// The restarts after a change that a plan can allow.
private let restartCounts = 0...1_000

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
