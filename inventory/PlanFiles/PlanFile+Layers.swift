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
                runtime: section.value(\.runtime).map { RuntimeProof($0) })
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

// MARK: Keys

// How to add one: see `Key`.

/// What a layer says, or `layerDefaults` for all layers.
struct LayerSettingKeys: KeyGroup {
    let components = Key(
        "components", .list(.mapping(ComponentKeys()), count: 1...Int.max),
        presence: .inherited("list each part that has a version, and how the running process reports it"), default: [],
        "Each part that has a version, and how the running process reports it.",
        example: "[{name: api, http: {url: \"${baseURL}/version\"}, pointer: /version}]")
    let steps = Key(
        "steps", .list(.mapping(StepKeys()), count: 1...Int.max),
        presence: .inherited("add a step that runs on every host"), default: [],
        "What changes a host, in order. At least one of them runs on every host.",
        example: "[{name: redeploy, run: [./scripts/redeploy.sh, \"${to}\"]}]")
    let rollback = Key(
        "rollback", .mapping(RollbackKeys()), presence: .inherited("write how the layer is rolled back, and how far"),
        "How a host of the layer is taken back, and how far. Not together with `oneWay: true`.",
        example: "{boundary: untilFinalize, run: [./scripts/redeploy.sh, \"${from}\"]}")
    let batches = Key(
        "batches", .list(.batchSize, count: 1...Int.max),
        presence: .inherited("write how the batches grow: batches: [1, 25%, 100%]"),
        "How many of the layer's hosts have changed after each batch, as a number or a percentage. The first is the canary, the last is 100%.",
        example: "[1, 25%, 100%]")
    let maxInFlight = Key(
        "maxInFlight", .integer(1...1_000), default: 1, "How many hosts of a batch change at the same time.",
        example: "4")
    let soakSeconds = Key(
        "soakSeconds", .integer(0...86_400), presence: .inherited("write how long it must stay healthy; 0 is allowed"),
        "How long a host must stay healthy before it counts as done.", example: "60")
    let sampleSeconds = Key(
        "sampleSeconds", .integer(1...3_600), default: PlanDefaults.sampleSeconds,
        "How long to wait between two captures of a host.", example: "10")
    let healthyWithinSeconds = Key(
        "healthyWithinSeconds", .integer(1...86_400), default: PlanDefaults.healthyWithinSeconds,
        "How long a host may take after its steps until it is healthy.", example: "300")
    let confirmWithinSeconds = Key(
        "confirmWithinSeconds", .integer(5...86_400),
        "For changes that may cut a host off: a host that is not reached again within this time after a step rolls back by itself.",
        otherwise: "no host rolls back by itself", example: "120")
    let progressDeadlineSeconds = Key(
        "progressDeadlineSeconds", .integer(1...86_400), "How long a batch may go without getting any further.",
        otherwise:
            "\(PlanDefaults.progressDeadlineSeconds), or longer if the guardrails and the longest step may take longer",
        example: "1800")
    let failedWhen = Key(
        "failedWhen", .list(.text, count: 1...Int.max), default: [],
        "What else counts as failed, in words for the people who watch.",
        example: "[the new release answers but the old process still runs]")
    let expects = Key(
        "expects", .list(.mapping(ItemKeys())), default: [],
        "Items that the change changes: a difference from before is no failure if the item is healthy.",
        example: "[{surface: services, item: scheduler}]")
    let evidence = Key(
        "evidence",
        .list(.mapping(SurfaceKeys())).described(as: .list(.mapping(LayerSurfaceKeys()), count: 1...Int.max)),
        default: [],
        "Surfaces of the layer, captured on each of its hosts: in addition to the plan's, or instead of one with the same name.",
        example: "[{name: accepts, tcp: {port: 5432}}]")
    let release = Key(
        "release", .release,
        "The files of the release: a file in sha256sum's format, by its path from the plan's folder, or a mapping with the signatures of whoever built it. Preflight compares each file with the hosts, below the layer's working directory. `${from}` and `${to}` in the paths are the layer's versions.",
        otherwise: "no file is compared", example: "\"releases/${to}.sha256\"")
}

struct LayerDefaultsKeys: KeyTable {
    static let title = "layerDefaults"
    static let meaning =
        "What layers have unless they say otherwise. Steps, components and surfaces of a layer are completed from those with the same names here."

    let settings = LayerSettingKeys()
}

struct LayerKeys: KeyTable {
    static let title = "layer"
    static let meaning = "A layer that changes. What it leaves out comes from `layerDefaults`."

    let name = Key(
        "name", .text(TextRule("layer name", grammar: .machine)), presence: .required("name a layer of the inventory"),
        "A layer of the inventory.", example: "core")
    let versions = VersionKeys(otherwise: "the plan's")
    let worksWith = Key(
        "worksWith", .map(TextRule("layer name", grammar: .machine), .list(.version, count: 1...Int.max)), default: [],
        "For each lower layer, its versions that this one works with, with its own old and new version. `${from}` and `${to}` are the plan's. A plan in which they would meet another one is refused.",
        example: "{data: [\"${from}\", \"${to}\"]}")
    let oneWay = Key(
        "oneWay", .flag, default: false, "There is no way back from this layer: instead of `rollback`.",
        example: "true")
    let settings = LayerSettingKeys()
}

struct ComponentKeys: KeyTable {
    static let title = "component"
    static let meaning =
        "A part of a layer that has a version. What it leaves out comes from the component with its name in `layerDefaults`."

    let name = Key(
        "name", .name("component", .word), presence: .required("give the component a name"),
        "The name, unique in the layer.",
        example: "api")
    let versions = VersionKeys(otherwise: "the layer's")
    let allowed = Key(
        "allowed", .list(.version), default: [], "The only versions that it may have on the way.",
        example: "[\"1.4.0\", \"1.5.0\"]")
    let source = SourceKeys()
    let pointer = Key(
        "pointer", .pointer, default: "", "Where the version is in the answer.",
        example: "/version")
    let format = Key(
        "format", .word(BodyFormat.self), "How the answer is written, if it is not JSON or a bare version.",
        otherwise: "JSON, or a text", example: "keyValues")
    let runtime = Key(
        "runtime", .mapping(RuntimeKeys()),
        "What proves that the running process is the approved release. The agent checks it itself.",
        example: "{unit: stack-api.service}")
}

struct StepKeys: KeyTable {
    static let title = "step"
    static let meaning =
        "A command that changes a host. What it leaves out comes from the step with its name in `layerDefaults`."

    let name = Key(
        "name", .name("step", .word), presence: .required("give the step a name"), "The name, unique in the layer.",
        example: "redeploy")
    let idempotent = Key(
        "idempotent", .flag, default: false,
        "Running it again does no harm, so that a host that failed may be repaired by running it again.",
        example: "true")
    let once = Key(
        "once", .flag, default: false, "It runs on the first host of the layer only.",
        example: "true", with: "name: backup")
    let rebootWithinSeconds = Key(
        "rebootWithinSeconds", .integer(1...86_400), "It reboots the host, which may be away for this long.",
        otherwise: "it reboots nothing", example: "300")
    let command = CommandKeys(within: PlanDefaults.stepTimeoutSeconds, isCompleted: true)

    /// The keys that describe the command: another command does not have them from the defaults.
    var ofCommand: [String] {
        [
            command.script.name, command.environment.name, command.workingDirectory.name, idempotent.name, once.name,
            rebootWithinSeconds.name,
        ]
    }
}

struct RollbackKeys: KeyTable {
    static let title = "rollback"
    static let meaning =
        "How a host is taken back. What a layer leaves out comes from `layerDefaults`, key by key. A one-way layer needs no `run`."

    let boundary = Key(
        "boundary", .word(RollbackBoundary.self), presence: .inherited(oneOf: RollbackBoundary.self),
        "How far back: always, until the run is finalized, until a higher layer has changed, or never.",
        example: "untilFinalize")
    let requires = Key(
        "requires", .list(.artifact), default: [],
        "What must be on the host before anything changes: paths, or paths with the SHA-256 of what they hold.",
        example: "[\"releases/${from}\"]")
    let keeps = Key(
        "keeps", .list(.text),
        "Files and folders below the working directory that are kept for the rollback as they were before the change.",
        otherwise: "the folder of its script", example: "[scripts, \"lib/${layer}\"]")
    let command = CommandKeys(within: PlanDefaults.stepTimeoutSeconds, isCompleted: true)
}

struct ArtifactKeys: KeyTable {
    static let title = "artifact"
    static let meaning = "A file that a rollback needs, and its content: either `path` or `manifest`."

    let path = Key("path", .text, "A file on the host.", example: "releases/1.4.0.tar", with: "sha256: \(someSHA256)")
    let manifest = Key(
        "manifest", .text, "A file as sha256sum writes it: every file that it lists must match as well.",
        example: "releases/1.4.0/SHA256SUMS", with: "sha256: \(someSHA256)")
    let sha256 = Key(
        "sha256", .sha256, presence: .required("write its expected SHA-256"), "The SHA-256 of the file.",
        example: someSHA256,
        with: "path: releases/1.4.0.tar")

    var alternatives: [String] { [path.name, manifest.name] }
}

// MARK: Forms

extension Form {
    /// Read as this one, and described as another type.
    fileprivate func described(as type: ValueType) -> Form { Form(type, shown: shown, read: read) }
}

extension Form where Value == BatchSize {
    fileprivate static var batchSize: Form {
        Form(
            .either([
                .integer(1...Int.max), .text(TextRule("percentage", pattern: "^([1-9][0-9]*|([1-9][0-9]?|100)%)$")),
            ])
        ) {
            reader, field in
            guard let text = reader.text(field) else { return nil }
            if let size = BatchSize(text) { return size }
            reader.report(
                field.line, "'\(text)' is not a batch size", "write a number of hosts or a percentage such as 25%")
            return nil
        }
    }
}

extension Form where Value == RollbackArtifact {
    /// A path, `{path, sha256}`, or `{manifest, sha256}` for a manifest and every file that it lists.
    fileprivate static var artifact: Form {
        let path = Form<String>.text
        let mapping = Form<Section<ArtifactKeys>>.mapping(ArtifactKeys())
        return Form(.either([path.type, mapping.type])) { reader, field in
            guard field.isMapping else { return path.read(reader, field).map { RollbackArtifact(path: $0) } }
            guard let own = mapping.read(reader, field) else { return nil }
            let manifest = own.value(\.manifest)
            guard let path = manifest ?? own.value(\.path), manifest == nil || own.value(\.path) == nil else {
                reader.report(own.line, "\(own.name) needs one path", "write either 'path:' or 'manifest:'")
                return nil
            }
            return RollbackArtifact(path: path, sha256: own.value(\.sha256), isManifest: manifest != nil)
        }
    }
}
