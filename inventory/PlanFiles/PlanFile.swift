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

    /// Reports problems at their lines; those of one text in one line once, with all their hosts.
    private func report(_ problems: [PlanRules.PlanProblem]) {
        var merged: [PlanRules.PlanProblem] = []
        var positions: [[String]: (position: Int, path: String?, line: Int)] = [:]
        for problem in problems {
            for site in sites(of: problem.place) {
                let key = ["\(site.line)"] + identity(of: problem)
                guard let known = positions[key] else {
                    positions[key] = (merged.count, site.path, site.line)
                    merged.append(problem)
                    continue
                }
                let more = Set(problem.hosts).subtracting(merged[known.position].hosts)
                merged[known.position].hosts += problem.hosts.filter(more.contains)
            }
        }
        for found in positions.values.sorted(by: { $0.position < $1.position }) {
            let problem = merged[found.position]
            let place = found.path.map { " (in \($0))" } ?? ""
            reader.report(found.line, problem.words + place, problem.remedy)
        }
    }

    /// What makes two problems of one line the same: what a text becomes may differ from host to host.
    private func identity(of problem: PlanRules.PlanProblem) -> [String] {
        guard case .text(let text) = problem.place, let key = text.key else { return [problem.message] }
        return [key, text.text]
    }

    /// Where something is in the file; the path only for a text.
    private func sites(of place: PlanRules.Place) -> [(path: String?, line: Int)] {
        guard case .text(let text) = place else { return [(nil, line(of: place))] }
        let all = reader.sites(of: text.text).filter { site in
            guard let key = text.key else { return true }
            return site.isUnder(key) && !(key == "timeoutSeconds" && site.isOfOperation)
        }
        let own = text.layer == nil ? [] : all.filter { $0.index(in: "layers") == text.layer }
        let found = own.isEmpty ? all.filter { $0.index(in: "layers") == nil } : own
        return found.isEmpty ? [(nil, line(of: place))] : found.map { ($0.path, $0.line) }
    }

    private func line(of place: PlanRules.Place) -> Int {
        switch place {
        case .text(let text): text.layer.map { line(of: \.layers, at: $0) } ?? section.line
        case .root(let key): section.line(ofKey: key)
        case .surface(let index): line(of: \.evidence, at: index)
        case .waiver(let index): line(of: \.waivers, at: index)
        case .layer(let index): line(of: \.layers, at: index)
        }
    }

    private func line<Value>(of path: KeyPath<PlanKeys, Key<Value>>, at index: Int) -> Int {
        let elements = section.field(path).map { reader.list($0) } ?? []
        return elements.indices.contains(index) ? elements[index].line : section.line(of: path)
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

extension TextSite {
    /// Whether it is in a command that may take longer than evidence.
    fileprivate var isOfOperation: Bool {
        ["steps", "rollback", "guardrails", "rollbackGuardrails"].contains(where: isUnder)
    }
}
