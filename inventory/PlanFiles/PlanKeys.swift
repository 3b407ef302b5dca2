import FileReading
import UpgradeDomain

// The keys of a plan file that are not of its layers or its evidence. How to add one: see `Key`.

/// The whole file.
struct PlanKeys: KeyTable {
    static let title = "plan"
    static let meaning = "The whole file: what changes, in which order, what proves it, and how it goes back."

    let version = Key(
        "version", .integer(1...1), presence: .required("write 'version: 1'"), "The version of this format.",
        example: "1")
    let name = Key(
        "name",
        .text(
            TextRule(
                "plan name",
                pattern: #"^([A-Za-z0-9]|\$\{(from|to)\})([A-Za-z0-9._@+-]|\$\{(from|to)\})*$"#)),
        presence: .required("name the plan"),
        "The name of the plan. `${from}` and `${to}` are replaced, so that one file serves for several plans.",
        example: "stack-${to}")
    let versions = VersionKeys(otherwise: "`--from` and `--to` of the command")
    let changeClass = Key(
        "changeClass", .word(ChangeClass.self), presence: .required(oneOf: ChangeClass.self),
        "The declared size of the change.",
        example: "minor")
    let reviews = Key(
        "reviews", .list(.mapping(ReviewKeys()), count: 1...Int.max),
        presence: .required("list what was reviewed: release notes, compatibility, tickets"), default: [],
        "What was read and agreed before the change.", example: "[{title: Release notes, reference: OPS-1234}]")
    let evidence = Key(
        "evidence", .list(.mapping(SurfaceKeys()), count: 1...Int.max),
        presence: .inherited("list the surfaces to compare before and after, for all layers or in each"), default: [],
        "The surfaces to compare before and after on every host. A plan whose layers all have evidence of their own needs none.",
        example: "[{name: services, http: {url: \"${baseURL}/services\"}, read: {shape: statusMap}}]")
    let materialization = Key(
        "materialization", .mapping(CommandKeys(within: PlanDefaults.checkTimeoutSeconds)),
        presence: .required("write the command that compares the repository state with the runtime state"),
        "A command that exits 0 if what is on disk is what runs.", example: "{run: [./scripts/check.sh]}")
    let guardrails = Key(
        "guardrails", .list(.mapping(CommandKeys(within: PlanDefaults.checkTimeoutSeconds)), count: 1...Int.max),
        presence: .required("list at least one check that runs before every mutation"), default: [],
        "Commands that run on the host right before every mutation. Any exit code but 0 refuses it.",
        example: "[{run: [./scripts/may-change.sh]}]")
    let rollbackGuardrails = Key(
        "rollbackGuardrails", .list(.mapping(CommandKeys(within: PlanDefaults.checkTimeoutSeconds))),
        "Commands that run before a rollback instead of the guardrails.", otherwise: "the guardrails",
        example: "[{run: [./scripts/may-change.sh, --rollback]}]")
    let files = Key(
        "files", .list(.text), default: [],
        "Scripts that judge and come with the plan, by their paths from the plan's folder. Commands name them `${file.NAME}`.",
        example: "[checks/orders.sh]", with: "guardrails: [{run: [sh, \"${file.orders.sh}\"]}]")
    let representativePath = Key(
        "representativePath", .mapping(SurfaceKeys()),
        presence: .required("write one request that users or operators really make"),
        "One path that a user really takes, captured with the evidence.",
        example: "{name: order, http: {url: \"${baseURL}/smoke/order\"}}")
    let minimumFreeDiskMebibytes = Key(
        "minimumFreeDiskMebibytes", .integer(1...1_048_576), default: 64,
        "How much space must be free in each host's working directory before the run begins.", example: "1024")
    let layers = Key(
        "layers", .list(.mapping(LayerKeys()), count: 1...Int.max),
        presence: .required("list the layers in the order in which they move"),
        "The layers that change, in the inventory's order.",
        example: """
            [{name: core, components: [{name: api, http: {url: "${baseURL}/version"}}], \
            steps: [{name: redeploy, run: [./scripts/redeploy.sh, "${to}"]}], \
            rollback: {boundary: untilFinalize, run: [./scripts/redeploy.sh, "${from}"]}, \
            batches: [1, 100%], soakSeconds: 60}]
            """)
    let layerDefaults = Key(
        "layerDefaults", .mapping(LayerDefaultsKeys()),
        "What each layer has unless it says otherwise. Entries of lists are completed by name, key by key.",
        example: "{soakSeconds: 120}")
    let holdPoints = Key(
        "holdPoints", .list(.holdPoint, count: 1...Int.max), default: [],
        "Where the run waits for an approval that names the place: `run` for before the first change, `LAYER`, or `LAYER/BATCH` with the number of the batch.",
        example: "[run, core, core/2]")
    let exclusions = Key(
        "exclusions", .list(.mapping(ExclusionKeys())), default: [], "Hosts that are left out on purpose.",
        example: "[{host: core-2, reason: replaced next week}]")
    let waivers = Key(
        "waivers", .list(.mapping(WaiverKeys())), default: [],
        "Faults that were there before, accepted by name, for a time.",
        example:
            "[{surface: services, item: legacy, owner: ana, reason: replaced in 1.6, expires: 2030-06-30T00:00:00Z}]")
    let agreements = Key(
        "agreements", .list(.itemPair), default: [],
        "Pairs of items that have to agree. If one is healthy and the other is not, neither is believed.",
        example: "[[{surface: services, item: api}, {surface: services, item: gateway}]]")
}

/// The versions of a plan, a layer or a component.
struct VersionKeys: KeyGroup {
    let from: Key<Version?>
    let to: Key<Version?>

    /// - Parameter otherwise: which versions hold where none are written.
    init(otherwise: String) {
        from = Key(
            "from", .version, "The exact version before. Floating words such as latest are refused.",
            otherwise: otherwise, example: "\"1.4.0\"")
        to = Key(
            "to", .version, "The exact version after. Floating words such as latest are refused.", otherwise: otherwise,
            example: "\"1.5.0\"")
    }
}

struct ReviewKeys: KeyTable {
    static let title = "review"
    static let meaning = "Something that was read or agreed before the change."

    let title = Key(
        "title", .text, presence: .required("write what was reviewed"), "What was reviewed.",
        example: "Release notes 1.5.0")
    let reference = Key(
        "reference", .text, presence: .required("write its URL, ticket or commit"), "Its URL, ticket or commit.",
        example: "\"https://example.net/releases/1.5.0\"")
}

struct ExclusionKeys: KeyTable {
    static let title = "exclusion"
    static let meaning = "A host that is left out."

    let host = Key(
        "host", .text(TextRule("host name", grammar: .machine)), presence: .required("name the host"),
        "A host of the inventory.", example: "core-2")
    let reason = Key(
        "reason", .text, presence: .required("write why it is excluded"), "Why it is left out.",
        example: "replaced next week")
}

struct WaiverKeys: KeyTable {
    static let title = "waiver"
    static let meaning = "A fault that was there before the change, and is accepted for a time."

    let surface = Key(
        "surface", .text(TextRule("surface name", grammar: .word)), presence: .required("name the surface"),
        "The surface that shows the fault.", example: "services")
    let item = Key(
        "item", .text, presence: .required("name the item"), "The item with the fault.", example: "legacy-report")
    let host = Key(
        "host", .text(TextRule("host name", grammar: .machine)), "The host where the fault is accepted.",
        otherwise: "every host", example: "core-1")
    let owner = Key(
        "owner", .text(TextRule("owner name", grammar: .word)),
        presence: .required("name the owner who accepts the fault"),
        "The owner of a layer who accepts the fault.", example: "ana")
    let reason = Key(
        "reason", .text, presence: .required("write why it is accepted"), "Why it is accepted.",
        example: "replaced in 1.6")
    let expires = Key(
        "expires", .text(TextRule("time (RFC 3339)")), presence: .required("write a time such as 2026-12-31T00:00:00Z"),
        "When the waiver ends.", example: "2030-06-30T00:00:00Z")
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

// MARK: Forms

extension Form where Value == HoldPoint {
    fileprivate static var holdPoint: Form {
        let words = TextRule("hold point", pattern: "^[a-z0-9][a-z0-9.-]{0,62}(/[1-9][0-9]{0,6})?$")
        return Form(.text(words)) { reader, field in
            guard let text = reader.text(field) else { return nil }
            if let point = HoldPoint(text), point.layer.map({ NameGrammar.machine.accepts($0.rawValue) }) ?? true {
                return point
            }
            reader.report(
                field.line, "'\(text)' is not a hold point",
                "write run, a layer of the plan, or a layer and the number of its batch, such as core/2")
            return nil
        }
    }
}

extension Form where Value == Version {
    static var version: Form {
        Form<String>.text(TextRule("version", unquoted: .numbers)) { reader, field, text in
            if Version(text).isOneWord { return text }
            reader.report(
                field.line, "\(field.name) has a space or an end of line", "write one exact version such as 1.5.0")
            return nil
        }.map { Version($0) }
    }
}
