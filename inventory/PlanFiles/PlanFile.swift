package import FileReading
import SafeText
package import UpgradeDomain

/// Reads plan files and checks them against their inventory.
package enum PlanFile {
    static let rootKeys = [
        "version", "name", "from", "to", "changeClass", "reviews", "evidence", "materialization", "guardrails",
        "rollbackGuardrails", "files",
        "representativePath", "minimumFreeDiskMebibytes", "layerDefaults", "layers", "exclusions", "waivers",
        "agreements",
    ]
    static let commandKeys = ["run", "workingDirectory", "environment", "timeoutSeconds", "script"]
    static let layerDefaultKeys = [
        "steps", "rollback", "batches", "maxInFlight", "soakSeconds", "sampleSeconds", "healthyWithinSeconds",
        "confirmWithinSeconds",
        "progressDeadlineSeconds", "failedWhen", "expects", "components", "evidence",
    ]
    static let layerKeys = ["name", "from", "to", "worksWith", "oneWay"] + layerDefaultKeys
    static let componentKeys = ["name", "from", "to", "allowed", "http", "command", "tcp", "pointer", "runtime"]
    static let stepKeys = ["name", "idempotent", "once", "rebootWithinSeconds"] + commandKeys

    /// The plan that a text describes.
    ///
    /// - Parameters:
    ///   - text: YAML.
    ///   - file: the file name in problem reports.
    ///   - inventory: the hosts and layers of the plan.
    ///   - now: decides whether waivers have expired.
    ///   - versions: for a file that leaves them out, so that it serves for one upgrade after the other.
    ///   - load: the text of a file that the plan carries, by its path from the plan's folder; its error is reported.
    /// - Throws: every problem of the file at once; where it has none, those that show only against the inventory.
    package static func read(
        text: String, file: String, inventory: FleetInventory, at now: WallTime,
        versions: VersionArguments = VersionArguments(),
        loading load: @escaping (String) throws -> String = { throw NoFiles(path: $0) }
    ) throws(FileProblems) -> Plan {
        let reader = FileReader(file: file)
        var plan: Plan?
        if let root = reader.root(of: text), let section = Section(root, known: rootKeys, reader) {
            _ = section.requiredInteger("version", in: 1...1, "write 'version: 1'")
            plan = PlanReading(section: section, inventory: inventory, arguments: versions, load: load).plan(at: now)
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

/// One reading of a plan's root mapping.
struct PlanReading {
    let section: Section
    let inventory: FleetInventory
    let arguments: VersionArguments
    let load: (String) throws -> String
    var reader: FileReader { section.reader }

    func plan(at now: WallTime) -> Plan? {
        let version = planVersion()
        let (exclusions, hasWholeExclusions) = reader.whole { readExclusions() }
        let (guardrails, hasWholeGuardrails) = reader.whole {
            section.list("guardrails").compactMap { readCommand($0) }
        }
        let (layers, hasWholeLayers) = reader.whole { readLayers(version, guardrails) }
        let mayStand = version != nil && hasWholeLayers && hasWholeExclusions && section.hasKnownKeys
        let evidence = readEvidence(beside: layers, hasWholeLayers: hasWholeLayers)
        let waivers = section.list("waivers").compactMap { readWaiver($0, evidence) }
        let agreements = section.list("agreements").compactMap { readAgreement($0, evidence) }
        if guardrails.isEmpty {
            section.reportMissing(
                "guardrails", "the plan has no guardrails", "list at least one check that runs before every mutation",
                ifWhole: hasWholeGuardrails)
        }
        let rollbackGuardrails = section.field("rollbackGuardrails").map { field in
            reader.list(field).compactMap { readCommand($0) }
        }
        let (reviews, hasWholeReviews) = reader.whole { section.list("reviews").compactMap(readReview) }
        if reviews.isEmpty {
            section.reportMissing(
                "reviews", "the plan has no reviews", "list what was reviewed: release notes, compatibility, tickets",
                ifWhole: hasWholeReviews)
        }
        let materialization = section.required(
            "materialization", "write the command that compares the repository state with the runtime state"
        ).flatMap { readCommand($0) }
        let path = section.required("representativePath", "write one request that users or operators really make")
            .flatMap(
                readSurface)
        let name = planName(version)
        let changeClass = section.requiredText(
            "changeClass", "write one of: \(ChangeClass.allCases.map(\.rawValue).joined(separator: ", "))"
        ).flatMap {
            choice($0, ChangeClass.self, section.line(of: "changeClass"))
        }
        let disk = section.integer("minimumFreeDiskMebibytes", in: 1...1_048_576) ?? 64
        if mayStand { checkAgainstInventory(layers.map(\.name), exclusions) }
        guard let version, let materialization, let path, let name, let changeClass else { return nil }
        let plan = Plan(
            name: name, version: version, changeClass: changeClass, reviews: reviews, evidence: evidence.shared,
            materialization: materialization, guardrails: guardrails, rollbackGuardrails: rollbackGuardrails,
            representativePath: path, layers: layers,
            exclusions: exclusions, waivers: waivers, agreements: agreements, minimumFreeDiskMebibytes: disk,
            files: readFiles())
        // Rules for the whole plan are checked only if all its parts are valid.
        guard reader.problems.isEmpty else { return plan }
        for problem in PlanRules.problems(of: plan, over: inventory, at: now) {
            reader.report(line(of: problem.place), problem.message, problem.remedy)
        }
        return plan
    }

    private func line(of place: PlanRules.Place) -> Int {
        switch place {
        case .root(let key): section.line(of: key)
        case .surface(let index):
            section.list("evidence").indices.contains(index)
                ? section.list("evidence")[index].line : section.line(of: "evidence")
        case .waiver(let index):
            section.list("waivers").indices.contains(index)
                ? section.list("waivers")[index].line : section.line(of: "waivers")
        case .layer(let index):
            section.list("layers").indices.contains(index)
                ? section.list("layers")[index].line : section.line(of: "layers")
        }
    }

    /// Whether `layerDefaults` is valid or absent.
    var hasDefaults: Bool {
        guard let field = section.field("layerDefaults") else { return !section.isMisspelled("layerDefaults") }
        return field.isMapping
    }

    // MARK: Versions

    /// From the file, or with the command; one of them says each.
    private func planVersion() -> VersionChange? {
        let given = [("from", arguments.from), ("to", arguments.to)].compactMap { key, version in
            version.map { (key, $0) }
        }
        for (key, version) in given where section.field(key) != nil {
            reader.report(
                section.line(of: key), "the file says '\(key)', and so does --\(key) \(version)",
                "leave it out of the file, which then serves for every version")
        }
        let said = VersionArguments(
            from: section.text("from").map { Version($0) } ?? arguments.from,
            to: section.text("to").map { Version($0) } ?? arguments.to)
        guard arguments.from != nil || arguments.to != nil else {
            return versionChange(section, fallback: nil, isWholePlan: true)
        }
        guard let from = said.from, let to = said.to else {
            reader.report(
                section.line, "\(section.name) has no explicit source and target version", "give --from X and --to Y")
            return nil
        }
        return versionChange(section, fallback: VersionChange(from: from, to: to), isWholePlan: true)
    }

    /// The name may have the versions in it, as one file is several plans.
    private func planName(_ version: VersionChange?) -> String? {
        guard let written = section.requiredText("name", "name the plan") else { return nil }
        var name = written
        if let version {
            name = name.replacing("${from}", with: version.from.rawValue)
                .replacing("${to}", with: version.to.rawValue)
        } else if written != written.replacing("${", with: "") {
            // What the name would be is not known, and is not what is wrong.
            return nil
        }
        return reader.name(name, section.line(of: "name"), "plan", .word)
    }

    /// - Parameter isWholePlan: whether this is the plan itself. Layers and components have its versions unless they say
    ///   otherwise, so only what they say themselves is reported of them.
    func versionChange(_ own: Section, fallback: VersionChange?, isWholePlan: Bool = false) -> VersionChange? {
        let (said, isTaken) = reader.whole { (own.text("from"), own.text("to")) }
        // A misspelled key of the plan may have been meant as the default for its layers.
        let isWhole = isTaken && own.hasKnownKeys && section.hasKnownKeys
        let from = said.0.map { Version($0) } ?? fallback?.from
        let to = said.1.map { Version($0) } ?? fallback?.to
        guard let from, let to else {
            if isWhole, isWholePlan {
                reader.report(
                    own.line, "\(own.name) has no explicit source and target version",
                    "write 'from: X' and 'to: Y', or give --from X and --to Y")
            }
            return nil
        }
        let judged = [("from", from, said.0), ("to", to, said.1)].filter { isWholePlan || $0.2 != nil }
        for (key, version, _) in judged where version.isFloating {
            reader.report(
                own.line(of: key), "version '\(version)' is floating", "write one exact version such as 1.5.0")
        }
        if from == to, !judged.isEmpty {
            reader.report(
                own.line(of: "to"), "source and target version are both \(to)", "write the version to move to")
        }
        return VersionChange(from: from, to: to)
    }

    // MARK: Small parts

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ text: String, _ type: Choice.Type, _ line: Int
    ) -> Choice? where Choice.RawValue == String {
        if let value = Choice(rawValue: text) { return value }
        reader.report(
            line, "'\(text)' is not a valid value",
            "write one of: \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        return nil
    }

    private func readReview(_ field: Field) -> Review? {
        guard let own = Section(field, known: ["title", "reference"], reader),
            let title = own.requiredText("title", "write what was reviewed"),
            let reference = own.requiredText("reference", "write its URL, ticket or commit")
        else { return nil }
        return Review(title: title, reference: reference)
    }

    private func readExclusions() -> [Exclusion] {
        section.list("exclusions").compactMap { field in
            guard let own = Section(field, known: ["host", "reason"], reader),
                let host = own.requiredText("host", "name the host"),
                let reason = own.requiredText("reason", "write why it is excluded")
            else { return nil }
            if !inventory.hosts.contains(where: { $0.name.rawValue == host }) {
                reader.report(
                    own.line, "the inventory has no host '\(host)' to exclude",
                    "correct the name, or remove the exclusion")
            }
            return Exclusion(host: HostName(host), reason: reason)
        }
    }

    private func readWaiver(_ field: Field, _ evidence: EvidenceReading) -> Waiver? {
        guard let own = Section(field, known: ["surface", "item", "host", "owner", "reason", "expires"], reader),
            let surface = own.requiredText("surface", "name the surface"),
            let item = own.requiredText("item", "name the item"),
            let owner = own.requiredText("owner", "name the owner who accepts the fault"),
            let reason = own.requiredText("reason", "write why it is accepted"),
            let expires = own.requiredText("expires", "write a time such as 2026-12-31T00:00:00Z")
        else { return nil }
        evidence.require(SurfaceName(surface), own.line(of: "surface"), reader)
        if !inventory.layers.contains(where: { $0.owners.contains(Owner(owner)) }) {
            reader.report(own.line(of: "owner"), "'\(owner)' owns no layer", "name an owner of the inventory")
        }
        guard let time = WallTime(rfc3339: expires) else {
            reader.report(
                own.line(of: "expires"), "'\(expires)' is not a valid time", "write it as 2026-12-31T00:00:00Z")
            return nil
        }
        return Waiver(
            surface: SurfaceName(surface), item: item, host: own.text("host").map { HostName($0) }, owner: Owner(owner),
            reason: reason, expiresAtMilliseconds: time.milliseconds)
    }

    /// - Parameter timeoutSeconds: where the file gives none.
    func readCommand(
        _ field: Field, orWithin timeoutSeconds: Int = PlanDefaults.checkTimeoutSeconds
    ) -> ScriptCommand? {
        guard let own = Section(field, known: PlanFile.commandKeys, reader),
            let run = own.required("run", "write the arguments as a list: run: [bash, ./scripts/x.sh]")
        else { return nil }
        let (arguments, isWhole) = reader.whole { reader.list(run).compactMap(reader.text) }
        guard let first = arguments.first, !first.isEmpty else {
            if isWhole {
                reader.report(run.line, "\(field.name) runs nothing", "write the executable and its arguments")
            }
            return nil
        }
        for argument in arguments where argument.ends(with: ":latest") || argument == "latest" {
            reader.report(run.line, "argument '\(argument)' is floating", "write one exact version")
        }
        let timeout = own.integer("timeoutSeconds", in: 1...86_400)
        return ScriptCommand(
            arguments: arguments, workingDirectory: own.text("workingDirectory"),
            environment: own.textMap("environment") ?? [:], timeoutSeconds: timeout ?? timeoutSeconds,
            script: own.text("script"))
    }

    // MARK: Layers

    private func readLayers(_ version: VersionChange?, _ guardrails: [ScriptCommand]) -> [PlanLayer] {
        let defaults = section.field("layerDefaults").flatMap { Section($0, known: PlanFile.layerDefaultKeys, reader) }
        guard let field = section.required("layers", "list the layers in the order in which they move") else {
            return []
        }
        return reader.list(field).compactMap { element in
            guard let own = Section(element, known: PlanFile.layerKeys, reader),
                let name = own.requiredText("name", "name a layer of the inventory")
            else { return nil }
            return LayerReading(own: own, defaults: defaults, name: name, plan: self, guardrails: guardrails)
                .layer(version)
        }
    }

    private func checkAgainstInventory(_ layers: [LayerName], _ exclusions: [Exclusion]) {
        let excluded = Set(exclusions.map(\.host))
        for host in inventory.hosts where !excluded.contains(host.name) && !host.placements.isEmpty {
            if !host.placements.contains(where: { layers.contains($0.layer) }) {
                reader.report(
                    section.line(of: "layers"), "host \(host.name) is in no layer of the plan",
                    "add its layer, or list it under exclusions with a reason")
            }
        }
    }
}
