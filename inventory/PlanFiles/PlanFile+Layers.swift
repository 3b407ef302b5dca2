import FileReading
import SafeText
import UpgradeDomain

/// The layers of a plan.
extension PlanReading {
    /// One layer; keys that it does not have come from `layerDefaults`.
    struct LayerReading {
        let own: Section<LayerKeys>
        /// What `layerDefaults` says.
        let defaults: Section<LayerSettingKeys>?
        let name: String
        let plan: PlanReading
        let guardrails: [ScriptCommand]
        var reader: FileReader { own.reader }

        private typealias SettingPath<Value> = KeyPath<LayerSettingKeys, Key<Value>>

        /// The layer's own settings if they have a key, otherwise those of the defaults.
        private func section<Value>(having path: SettingPath<Value>) -> Section<LayerSettingKeys> {
            let settings = own.part(\.settings)
            return settings.field(path) != nil || settings.isMisspelled(path) ? settings : defaults ?? settings
        }

        private func value<Value>(_ path: SettingPath<Value>) -> Value { section(having: path).value(path) }

        func layer(_ fallback: VersionChange?) -> PlanLayer? {
            let version = plan.versionChange(own.part(\.versions), fallback: fallback)
            let (listed, isList) = reader.whole { entries(\.components) }
            let components = listed.compactMap { readComponent($0, version) }
            if listed.isEmpty {
                own.reportMissing(\.settings.components, "layer \(name) has no components", ifWhole: isList)
            }
            let steps = entries(\.steps).compactMap(readStep)
            let rollback = readRollback()
            let progress =
                value(\.progressDeadlineSeconds)
                ?? PlanDefaults.progressDeadlineSeconds(steps: steps, guardrails: guardrails)
            guard let version, let rollback, let soak = needed(\.soakSeconds) else { return nil }
            return PlanLayer(
                name: LayerName(name), version: version, components: components, steps: steps, rollback: rollback,
                batches: readBatches(), maxInFlight: value(\.maxInFlight), soakSeconds: soak,
                sampleSeconds: value(\.sampleSeconds), healthyWithinSeconds: value(\.healthyWithinSeconds),
                progressDeadlineSeconds: progress, confirmWithinSeconds: value(\.confirmWithinSeconds),
                evidence: readEvidence(), failedWhen: value(\.failedWhen),
                expects: value(\.expects).compactMap(plan.readReference), worksWith: readWorksWith(fallback),
                release: value(\.release).flatMap { plan.readRelease($0, version) })
        }

        /// For each lower layer, the versions of it that this layer works with.
        ///
        /// - Parameter versions: the plan's, so that one file serves for every upgrade.
        private func readWorksWith(_ versions: VersionChange?) -> [LayerName: [Version]] {
            func exact(_ version: Version) -> Version {
                guard let versions else { return version }
                return Version(
                    version.rawValue.replacing("${from}", with: versions.from.rawValue)
                        .replacing("${to}", with: versions.to.rawValue))
            }
            let named = own.value(\.worksWith).map { entry in
                let exact = (entry.value ?? []).map(exact)
                for version in exact where version.rawValue.holds("${") {
                    reader.report(
                        entry.line, "'\(version)' has a '${' that is not '${from}' or '${to}'", "write the version")
                }
                return (LayerName(entry.key), exact)
            }
            return Dictionary(named) { $1 }
        }

        /// A value that the layer or the defaults must have; nil, with a problem recorded, if neither has it.
        private func needed<Written>(_ path: SettingPath<Written?>) -> Written? {
            let section = section(having: path)
            guard plan.hasDefaults || section.field(path) != nil else { return nil }
            return section.requiredValue(path)
        }

        /// The layer's own list, each entry completed key by key from the one of that name in the defaults; else the defaults' list.
        private func entries<Keys>(_ path: SettingPath<[Section<Keys>]>) -> [Section<Keys>] {
            let section = section(having: path)
            guard let field = own.part(\.settings).field(path), let shared = defaults?.field(path) else {
                return section.value(path)
            }
            return section.value(path, of: field.withEntriesCompleted(from: shared, without: LayerReading.replaced))
        }

        private static let step = StepKeys()
        private static let component = ComponentKeys()
        private static let surface = LayerSurfaceKeys()

        /// For each key of the entry's own what is not taken from the defaults: what describes another command, and another source
        /// with how its answer is read.
        private static func replaced(in same: Field, by entry: Field) -> [String: [String]] {
            let sources = surface.source.names
            var replaced = [step.command.run.name: step.ofCommand]
            for source in sources {
                let reading =
                    same.has(source) ? [] : [component.format.name, component.pointer.name, surface.read.name]
                replaced[source] = sources.filter { $0 != source } + reading
            }
            return replaced
        }

        private func readComponent(_ section: Section<ComponentKeys>, _ version: VersionChange?) -> Component? {
            guard let name = section.value(\.name), let found = plan.readSource(section.part(\.source)),
                let change = plan.versionChange(section.part(\.versions), fallback: version)
            else { return nil }
            if case .missing(let words, let remedy) = found.version {
                reader.report(section.line(ofKey: found.key), "component \(name) reads no version \(words)", remedy)
            }
            return Component(
                name: ComponentName(name), version: change, allowed: section.value(\.allowed),
                observe: found.source, format: section.value(\.format),
                pointer: section.field(\.pointer) == nil ? found.version.pointer : section.value(\.pointer),
                runtime: section.value(\.runtime).map(plan.readRuntime))
        }

        private func readStep(_ section: Section<StepKeys>) -> Step? {
            guard let name = section.value(\.name), let command = plan.readCommand(section.part(\.command)) else {
                return nil
            }
            return Step(
                name: StepName(name), command: command, idempotent: section.value(\.idempotent),
                once: section.value(\.once), rebootWithinSeconds: section.value(\.rebootWithinSeconds))
        }

        private func readRollback() -> RollbackPosture? {
            if own.value(\.oneWay) {
                guard let rollback = own.field(\.settings.rollback) else {
                    return RollbackPosture(command: nil, boundary: .oneWay)
                }
                reader.report(
                    rollback.line, "layer \(name) is one-way and has a rollback",
                    "remove one of 'oneWay' and 'rollback'")
                return nil
            }
            let place = section(having: \.rollback)
            guard plan.hasDefaults || place.field(\.rollback) != nil, let written = place.required(\.rollback),
                let section = place.value(\.rollback, of: completed(written)),
                let boundary = section.requiredValue(\.boundary)
            else { return nil }
            var command: ScriptCommand?
            if boundary != .oneWay || section.field(\.command.run) != nil {
                command = plan.readCommand(section.part(\.command))
                if command == nil { return nil }
            }
            return RollbackPosture(
                command: command, boundary: boundary, requires: section.value(\.requires),
                keeps: section.value(\.keeps))
        }

        /// A rollback, completed from that of the defaults: another command is not that script.
        private func completed(_ rollback: Field) -> Field {
            guard let shared = defaults?.field(\.rollback) else { return rollback }
            let command = LayerReading.step.command
            return rollback.completed(from: shared, without: [command.run.name: [command.script.name]])
        }

        /// Nil where the layer has none of its own.
        private func readEvidence() -> [Surface]? {
            let surfaces = entries(\.evidence).compactMap { section -> Surface? in
                guard let surface = plan.readSurface(section) else { return nil }
                if surface.scope == .host { return surface }
                reader.report(
                    section.line, "surface '\(surface.name)' of layer \(name) has a scope",
                    "evidence of a layer is taken on each of its hosts; write others under the plan's 'evidence'")
                return nil
            }
            return surfaces.isEmpty ? nil : surfaces
        }

        private func readBatches() -> [BatchSize] {
            let section = section(having: \.batches)
            guard let sizes = needed(\.batches) else { return [] }
            let line = section.line(of: \.batches)
            if let last = sizes.last, last != .percent(100) {
                reader.report(line, "the last batch is \(last)", "end the list with 100%")
            }
            for (earlier, later) in zip(sizes, sizes.dropFirst()) where !isAscending(earlier, later) {
                reader.report(
                    line, "batch \(later) is not larger than \(earlier)",
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
    }
}
