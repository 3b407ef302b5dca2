package import FileReading
import SafeText
package import UpgradeDomain

/// Reads plan files and checks them against their inventory.
package enum PlanFile {
    private static let mapping = Mapping(PlanKeys())

    /// The plan that a text describes.
    ///
    /// - Parameters:
    ///   - text: YAML.
    ///   - file: the file name in problem reports.
    ///   - inventory: the hosts and layers of the plan.
    ///   - now: decides whether waivers have expired.
    ///   - versions: for a file that leaves them out, so that it serves for one upgrade after the other.
    ///   - isStored: whether the plan is to be stored, so that what `plan init` left to be written must be there.
    ///   - load: the text of a file that the plan names, by its path from the plan's folder; its error is reported.
    ///   - carry: the text of a file that the plan carries to hosts; nil for `load`.
    /// - Throws: every problem of the file that can be known at once.
    package static func read(
        text: String, file: String, inventory: FleetInventory, at now: WallTime,
        versions: VersionArguments = VersionArguments(), isStored: Bool = false,
        loading load: @escaping (String) throws -> String = { throw NoFiles(path: $0) },
        carrying carry: ((String) throws -> String)? = nil
    ) throws(FileProblems) -> Plan {
        let reader = FileReader(file: file, keepsSites: true)
        var plan: Plan?
        if let root = reader.root(of: text), let section = Section(root, mapping, reader) {
            _ = section.value(\.version)
            plan = PlanReading(
                section: section, inventory: inventory, arguments: versions, isStored: isStored, load: load,
                carry: carry ?? load
            ).plan(at: now)
        }
        try reader.finish()
        guard let plan else {
            throw FileProblems([
                FileProblem(
                    file: file, line: 1, message: "the file has no plan", remedy: "start from the commented example")
            ])
        }
        return plan
    }
}

/// A plan is read where there are no files beside it.
private struct NoFiles: Error, CustomStringConvertible {
    var path: String
    var description: String { "\(path) can not be read: only the plan's text is given" }
}

/// Versions that come with the command and not from the file.
package struct VersionArguments: Sendable {
    package var from: Version?
    package var to: Version?

    package init(from: Version? = nil, to: Version? = nil) {
        self.from = from
        self.to = to
    }
}

/// One reading of a plan's root mapping.
struct PlanReading {
    let section: Section<PlanKeys>
    let inventory: FleetInventory
    let arguments: VersionArguments
    let isStored: Bool
    let load: (String) throws -> String
    let carry: (String) throws -> String
    var reader: FileReader { section.reader }

    func plan(at now: WallTime) -> Plan? {
        let version = planVersion()
        let (exclusions, hasWholeExclusions) = reader.whole { readExclusions() }
        let (guardrails, hasWholeGuardrails) = reader.whole { section.value(\.guardrails).compactMap(readCommand) }
        let (layers, hasWholeLayers) = reader.whole { readLayers(version, guardrails) }
        let mayStand = version != nil && hasWholeLayers && hasWholeExclusions && section.hasKnownKeys
        let evidence = readEvidence(beside: layers, hasWholeLayers: hasWholeLayers)
        let waivers = section.value(\.waivers).compactMap { readWaiver($0, evidence) }
        let agreements = section.value(\.agreements).compactMap { readAgreement($0, evidence) }
        if guardrails.isEmpty {
            section.reportMissing(\.guardrails, "the plan has no guardrails", ifWhole: hasWholeGuardrails)
        }
        let rollbackGuardrails = section.value(\.rollbackGuardrails)?.compactMap(readCommand)
        let (reviews, hasWholeReviews) = reader.whole { section.value(\.reviews).compactMap(readReview) }
        if reviews.isEmpty { section.reportMissing(\.reviews, "the plan has no reviews", ifWhole: hasWholeReviews) }
        let materialization = section.value(\.materialization).flatMap(readCommand)
        let path = section.value(\.representativePath).flatMap(readSurface)
        let name = planName(version)
        let changeClass = section.value(\.changeClass)
        let disk = section.value(\.minimumFreeDiskMebibytes)
        if mayStand { checkAgainstInventory(layers.map(\.name), exclusions) }
        guard let version, let materialization, let path, let name, let changeClass else { return nil }
        let (files, hasWholeFiles) = reader.whole { readFiles() }
        let plan = Plan(
            name: name, version: version, changeClass: changeClass, reviews: reviews, evidence: evidence.shared,
            materialization: materialization, guardrails: guardrails, rollbackGuardrails: rollbackGuardrails,
            representativePath: path, layers: layers,
            exclusions: exclusions, waivers: waivers, agreements: agreements, minimumFreeDiskMebibytes: disk,
            files: files, holdPoints: readHoldPoints(layers.map(\.name)))
        // Where a layer was refused, the numbers of the others would be wrong.
        guard layers.count == section.field(\.layers).map({ reader.list($0).count }) ?? 0 else { return plan }
        let isWhole = hasWholeLayers && evidence.isWhole && section.hasKnownKeys
        report(PlanRules.problems(ofParts: plan, over: inventory, at: now, hasFiles: hasWholeFiles))
        guard isWhole else { return plan }
        let hasFiles = hasWholeFiles && hasWholeGuardrails
        report(PlanRules.problems(ofWhole: plan, over: inventory, hasFiles: hasFiles))
        return plan
    }

    /// Whether `layerDefaults` is valid or absent.
    var hasDefaults: Bool {
        guard let field = section.field(\.layerDefaults) else { return !section.isMisspelled(\.layerDefaults) }
        return field.isMapping
    }

    // MARK: Versions

    /// From the file, or with the command; one of them says each.
    private func planVersion() -> VersionChange? {
        let own = section.part(\.versions)
        for (path, version) in [(\VersionKeys.from, arguments.from), (\VersionKeys.to, arguments.to)] {
            guard let version, own.field(path) != nil else { continue }
            let key = own.keys[keyPath: path].name
            reader.report(
                own.line(of: path), "the file says '\(key)', and so does --\(key) \(version)",
                "leave it out of the file, which then serves for every version")
        }
        guard arguments.from != nil || arguments.to != nil else {
            return versionChange(own, fallback: nil, isWholePlan: true)
        }
        guard let from = own.value(\.from) ?? arguments.from, let to = own.value(\.to) ?? arguments.to else {
            reader.report(
                section.line, "\(section.name) has no explicit source and target version", "give --from X and --to Y")
            return nil
        }
        return versionChange(own, fallback: VersionChange(from: from, to: to), isWholePlan: true)
    }

    /// The name may have the versions in it, as one file is several plans.
    private func planName(_ version: VersionChange?) -> String? {
        guard let written = section.value(\.name) else { return nil }
        var name = written
        if let version {
            name = name.replacing("${from}", with: version.from.rawValue)
                .replacing("${to}", with: version.to.rawValue)
        } else if written != written.replacing("${", with: "") {
            // What the name would be is not known, and is not what is wrong.
            return nil
        }
        return reader.name(name, section.line(of: \.name), "plan", .word)
    }

    /// - Parameter isWholePlan: whether this is the plan itself. Layers and components have its versions unless they say
    ///   otherwise, so only what they say themselves is reported of them.
    func versionChange(
        _ own: Section<VersionKeys>, fallback: VersionChange?, isWholePlan: Bool = false
    ) -> VersionChange? {
        let (said, isTaken) = reader.whole { (from: own.value(\.from), to: own.value(\.to)) }
        // A misspelled key of the plan may have been meant as the default for its layers.
        let isWhole = isTaken && own.hasKnownKeys && section.hasKnownKeys
        let from = said.from ?? fallback?.from
        let to = said.to ?? fallback?.to
        guard let from, let to else {
            if isWhole, isWholePlan {
                reader.report(
                    own.line, "\(own.name) has no explicit source and target version",
                    "write 'from: X' and 'to: Y', or give --from X and --to Y")
            }
            return nil
        }
        let judged = [(\VersionKeys.from, from, said.from), (\VersionKeys.to, to, said.to)].filter {
            isWholePlan || $0.2 != nil
        }
        for (path, version, _) in judged where version.isFloating {
            reader.report(
                own.line(of: path), "version '\(version)' is floating", "write one exact version such as 1.5.0")
        }
        if from == to, !judged.isEmpty {
            reader.report(
                own.line(of: \.to), "source and target version are both \(to)", "write the version to move to")
        }
        return VersionChange(from: from, to: to)
    }

    // MARK: Small parts

    private func readReview(_ own: Section<ReviewKeys>) -> Review? {
        guard let title = own.value(\.title), let reference = own.value(\.reference) else { return nil }
        if isStored, reference == PlanDraft.unwritten {
            reader.report(
                own.line(of: \.reference), "the reference of the review '\(title)' is still to be written",
                "write its URL, ticket or commit")
        }
        return Review(title: title, reference: reference)
    }

    private func readExclusions() -> [Exclusion] {
        var seen: Set<String> = []
        return section.value(\.exclusions).compactMap { own in
            guard let host = own.value(\.host), let reason = own.value(\.reason) else { return nil }
            if !seen.insert(host).inserted {
                reader.report(own.line, "host '\(host)' is excluded twice", "list it once, with its reason")
            }
            if !inventory.hosts.contains(where: { $0.name.rawValue == host }) {
                reader.report(
                    own.line, "the inventory has no host '\(host)' to exclude",
                    "correct the name, or remove the exclusion")
            }
            return Exclusion(host: HostName(host), reason: reason)
        }
    }

    private func readWaiver(_ own: Section<WaiverKeys>, _ evidence: EvidenceReading) -> Waiver? {
        guard let surface = own.value(\.surface), let item = own.value(\.item), let owner = own.value(\.owner),
            let reason = own.value(\.reason), let expires = own.value(\.expires)
        else { return nil }
        evidence.require(SurfaceName(surface), own.line(of: \.surface), reader)
        if let host = own.value(\.host), !inventory.hosts.contains(where: { $0.name.rawValue == host }) {
            reader.report(
                own.line(of: \.host), "the inventory has no host '\(host)' to waive a fault of",
                "correct the name, or remove it for every host")
        }
        if !inventory.layers.contains(where: { $0.owners.contains(Owner(owner)) }) {
            reader.report(own.line(of: \.owner), "'\(owner)' owns no layer", "name an owner of the inventory")
        }
        guard let time = WallTime(rfc3339: expires) else {
            reader.report(
                own.line(of: \.expires), "'\(expires)' is not a valid time", "write it as 2026-12-31T00:00:00Z")
            return nil
        }
        return Waiver(
            surface: SurfaceName(surface), item: item, host: own.value(\.host).map { HostName($0) },
            owner: Owner(owner),
            reason: reason, expiresAtMilliseconds: time.milliseconds)
    }

    // MARK: Layers

    private func readLayers(_ version: VersionChange?, _ guardrails: [ScriptCommand]) -> [PlanLayer] {
        let defaults = section.value(\.layerDefaults)?.part(\.settings)
        return (section.value(\.layers) ?? []).compactMap { own in
            guard let name = own.value(\.name) else { return nil }
            return LayerReading(own: own, defaults: defaults, name: name, plan: self, guardrails: guardrails)
                .layer(version)
        }
    }

    private func checkAgainstInventory(_ layers: [LayerName], _ exclusions: [Exclusion]) {
        // A misspelt layer is what is wrong then, and reported by its own rule.
        guard layers.allSatisfy({ layer in inventory.layers.contains { $0.name == layer } }) else { return }
        let excluded = Set(exclusions.map(\.host))
        for host in inventory.hosts where !excluded.contains(host.name) && !host.placements.isEmpty {
            if !host.placements.contains(where: { layers.contains($0.layer) }) {
                reader.report(
                    section.line(of: \.layers), "host \(host.name) is in no layer of the plan",
                    "add its layer, or list it under exclusions with a reason")
            }
        }
    }
}

// MARK: Keys

// Those that are not of the layers or of the evidence. How to add one: see `Key`.

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

// MARK: Forms

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
