import FileReading
import UpgradeDomain

/// The layers of a plan.
extension PlanReading {
    /// One layer; keys that it does not have come from `layerDefaults`.
    struct LayerReading {
        let own: Section
        let defaults: Section?
        let name: String
        let plan: PlanReading
        let guardrails: [ScriptCommand]
        var reader: FileReader { own.reader }

        private func section(having key: String) -> Section {
            own.field(key) != nil || own.isMisspelled(key) ? own : defaults ?? own
        }

        func layer(_ fallback: VersionChange?) -> PlanLayer? {
            let version = plan.versionChange(own, fallback: fallback)
            let (listed, isList) = reader.whole { entries("components") }
            let components = listed.compactMap { readComponent($0, version) }
            if listed.isEmpty {
                own.reportMissing(
                    "components", "layer \(name) has no components",
                    "list each part that has a version, and how the running process reports it", ifWhole: isList)
            }
            let steps = entries("steps").compactMap(readStep)
            let rollback = readRollback()
            let soak = number("soakSeconds", 0...86_400, "write how long it must stay healthy; 0 is allowed")
            let progress =
                integer("progressDeadlineSeconds", in: 1...86_400)
                ?? PlanDefaults.progressDeadlineSeconds(steps: steps, guardrails: guardrails)
            guard let version, let rollback, let soak else { return nil }
            return PlanLayer(
                name: LayerName(name), version: version, components: components, steps: steps, rollback: rollback,
                batches: readBatches(),
                maxInFlight: integer("maxInFlight", in: 1...1_000) ?? 1, soakSeconds: soak,
                sampleSeconds: integer("sampleSeconds", in: 1...3_600) ?? PlanDefaults.sampleSeconds,
                healthyWithinSeconds: integer("healthyWithinSeconds", in: 1...86_400)
                    ?? PlanDefaults.healthyWithinSeconds,
                progressDeadlineSeconds: progress,
                confirmWithinSeconds: integer("confirmWithinSeconds", in: 5...86_400), evidence: readEvidence(),
                failedWhen: section(having: "failedWhen").texts("failedWhen") ?? [],
                expects: section(having: "expects").list("expects").compactMap(readExpectation),
                worksWith: readWorksWith())
        }

        /// For each lower layer, the versions of it that this layer works with.
        private func readWorksWith() -> [LayerName: [Version]] {
            var versions: [LayerName: [Version]] = [:]
            for entry in own.field("worksWith").map({ reader.pairs($0) }) ?? [] {
                versions[LayerName(entry.key)] = reader.list(entry.value).compactMap(reader.text).map { Version($0) }
            }
            return versions
        }

        /// The ways to look at something; an entry has one of them.
        private static let sources = ["http", "command", "tcp"]

        /// What says something of a step's command is not taken for another command.
        private static let ofCommand = [
            "script", "environment", "workingDirectory", "idempotent", "once", "rebootWithinSeconds",
        ]

        private func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
            section(having: key).integer(key, in: range)
        }

        /// The layer's own list, each entry completed key by key from the one of that name in the defaults; else the defaults' list.
        private func entries(_ key: String) -> [Field] {
            let shared = defaults.map { $0.list(key) } ?? []
            guard own.field(key) != nil || own.isMisspelled(key) else { return shared }
            return own.list(key).map { entry in
                guard let name = entry.entryName, let same = shared.first(where: { $0.entryName == name }) else {
                    return entry
                }
                return entry.completed(from: same, without: LayerReading.replaced(in: same, by: entry))
            }
        }

        /// For each key of the entry's own what is not taken from the defaults: what describes another command, and another source
        /// with how its answer is read.
        private static func replaced(in same: Field, by entry: Field) -> [String: [String]] {
            var replaced = ["run": ofCommand]
            for source in sources {
                let isOfOtherKind = !same.has(source)
                replaced[source] = sources.filter { $0 != source } + (isOfOtherKind ? ["pointer", "read"] : [])
            }
            return replaced
        }

        private func number(_ key: String, _ range: ClosedRange<Int>, _ remedy: String) -> Int? {
            let section = section(having: key)
            guard plan.hasDefaults || section.field(key) != nil else { return nil }
            return section.requiredInteger(key, in: range, remedy)
        }

        private func readComponent(_ field: Field, _ version: VersionChange?) -> Component? {
            guard
                let section = Section(
                    field, known: PlanFile.componentKeys, reader),
                let name = section.requiredName("component", .word),
                let source = plan.readSource(section),
                let change = plan.versionChange(section, fallback: version)
            else { return nil }
            if case .tcp(let tcp) = source, tcp.banner == nil {
                reader.report(
                    section.line(of: "tcp"), "component \(name) reads no version from its port",
                    "write how the line with the version begins: 'banner: TEXT'")
            }
            return Component(
                name: ComponentName(name), version: change,
                allowed: section.texts("allowed")?.map { Version($0) } ?? [], observe: source,
                pointer: plan.pointer(section, "pointer") ?? "",
                runtime: section.field("runtime").flatMap(plan.readRuntime))
        }

        private func readStep(_ field: Field) -> Step? {
            guard
                let section = Section(
                    field, known: PlanFile.stepKeys, reader),
                let name = section.requiredName("step", .word),
                let command = plan.readCommand(
                    commandField(section, field), orWithin: PlanDefaults.stepTimeoutSeconds)
            else { return nil }
            return Step(
                name: StepName(name), command: command, idempotent: section.flag("idempotent") ?? false,
                once: section.flag("once") ?? false,
                rebootWithinSeconds: section.integer("rebootWithinSeconds", in: 1...86_400))
        }

        /// A step or a rollback has the keys of its command directly.
        private func commandField(_ section: Section, _ field: Field) -> Field { field.keeping(PlanFile.commandKeys) }

        private func readRollback() -> RollbackPosture? {
            if own.flag("oneWay") == true {
                guard let rollback = own.field("rollback") else {
                    return RollbackPosture(command: nil, boundary: .oneWay)
                }
                reader.report(
                    rollback.line, "layer \(name) is one-way and has a rollback",
                    "remove one of 'oneWay' and 'rollback'")
                return nil
            }
            let place = section(having: "rollback")
            guard plan.hasDefaults || place.field("rollback") != nil,
                let own = place.required("rollback", "write how layer \(name) is rolled back, and how far")
            else { return nil }
            let field =
                defaults?.field("rollback").map { own.completed(from: $0, without: ["run": ["script"]]) } ?? own
            guard
                let section = Section(field, known: ["boundary", "requires", "keeps"] + PlanFile.commandKeys, reader),
                let word = section.requiredText(
                    "boundary", "write one of: \(RollbackBoundary.allCases.map(\.rawValue).joined(separator: ", "))"),
                let boundary = plan.choice(word, RollbackBoundary.self, section.line(of: "boundary"))
            else { return nil }
            var command: ScriptCommand?
            if boundary != .oneWay || section.field("run") != nil {
                command = plan.readCommand(
                    commandField(section, field), orWithin: PlanDefaults.stepTimeoutSeconds)
                if command == nil { return nil }
            }
            return RollbackPosture(
                command: command, boundary: boundary, requires: section.list("requires").compactMap(plan.readArtifact),
                keeps: section.texts("keeps"))
        }

        /// Nil where the layer has none of its own.
        private func readEvidence() -> [Surface]? {
            let surfaces = entries("evidence").compactMap { field -> Surface? in
                guard let surface = plan.readSurface(field) else { return nil }
                if surface.scope == .host { return surface }
                reader.report(
                    field.line, "surface '\(surface.name)' of layer \(name) has a scope",
                    "evidence of a layer is taken on each of its hosts; write others under the plan's 'evidence'")
                return nil
            }
            return surfaces.isEmpty ? nil : surfaces
        }

        private func readBatches() -> [BatchSize] {
            let section = section(having: "batches")
            guard plan.hasDefaults || section.field("batches") != nil,
                let field = section.required("batches", "write how the batches grow: batches: [1, 25%, 100%]")
            else { return [] }
            let sizes = reader.list(field).compactMap { element -> BatchSize? in
                guard let text = reader.text(element) else { return nil }
                if let size = BatchSize(text) { return size }
                reader.report(
                    element.line, "'\(text)' is not a batch size", "write a number of hosts or a percentage such as 25%"
                )
                return nil
            }
            if let last = sizes.last, last != .percent(100) {
                reader.report(field.line, "the last batch is \(last)", "end the list with 100%")
            }
            for (earlier, later) in zip(sizes, sizes.dropFirst()) where !isAscending(earlier, later) {
                reader.report(
                    field.line, "batch \(later) is not larger than \(earlier)",
                    "sizes are cumulative: write them in ascending order")
            }
            return sizes
        }

        /// A count and a percentage can only be compared once the hosts are known; sizes that add no host are dropped
        /// then.
        private func isAscending(_ earlier: BatchSize, _ later: BatchSize) -> Bool {
            switch (earlier, later) {
            case (.count(let a), .count(let b)), (.percent(let a), .percent(let b)): a < b
            case (.count, .percent), (.percent, .count): true
            }
        }

        private func readExpectation(_ field: Field) -> ItemReference? { plan.readReference(field) }
    }
}
