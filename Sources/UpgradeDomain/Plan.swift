import SafeText

/// The immutable intent of an upgrade: versions, layers, evidence, scripts and boundaries.
///
/// Identified by the SHA-256 of its canonical JSON, so key order and comments in its file do not matter.
package struct Plan: Codable, Hashable, Sendable {
    /// The version of this shape; part of the digest.
    package var schemaVersion: Int
    package var name: String
    package var version: VersionChange
    package var changeClass: ChangeClass
    /// What was read and agreed beforehand: release notes, compatibility reviews, tickets.
    package var reviews: [Review]
    /// The evidence family, in order; the same before and after.
    package var evidence: [Surface]
    /// Compares the repository's state with the running state; exit 0 means they agree.
    package var materialization: ScriptCommand
    /// Checks that run on the host right before each mutation; exit 0 permits it.
    package var guardrails: [ScriptCommand]
    /// The checks that run before a rollback instead; nil for the same checks.
    package var rollbackGuardrails: [ScriptCommand]?
    /// A path that a real user or operator takes.
    package var representativePath: Surface
    /// In the order in which they change.
    package var layers: [PlanLayer]
    package var exclusions: [Exclusion]
    package var waivers: [Waiver]
    /// Items that must report the same: if one is healthy and the other is not, both are *unknown*.
    package var agreements: [Agreement]
    /// Free space required in the working directory of every host before anything starts.
    package var minimumFreeDiskMebibytes: Int
    /// Files that are carried to the hosts for what judges; nil for none.
    package var files: [CarriedFile]?
    /// Where a run waits for an approval that names the place, in plan order; nil for nowhere.
    package var holdPoints: [HoldPoint]?

    package static let currentSchemaVersion = 1

    package init(
        schemaVersion: Int = Plan.currentSchemaVersion, name: String, version: VersionChange,
        changeClass: ChangeClass, reviews: [Review], evidence: [Surface], materialization: ScriptCommand,
        guardrails: [ScriptCommand], rollbackGuardrails: [ScriptCommand]? = nil,
        representativePath: Surface, layers: [PlanLayer],
        exclusions: [Exclusion] = [], waivers: [Waiver] = [], agreements: [Agreement] = [],
        minimumFreeDiskMebibytes: Int = 64, files: [CarriedFile]? = nil, holdPoints: [HoldPoint]? = nil
    ) {
        self.schemaVersion = schemaVersion
        self.name = name
        self.version = version
        self.changeClass = changeClass
        self.reviews = reviews
        self.evidence = evidence
        self.materialization = materialization
        self.guardrails = guardrails
        self.rollbackGuardrails = rollbackGuardrails
        self.representativePath = representativePath
        self.layers = layers
        self.exclusions = exclusions
        self.waivers = waivers
        self.agreements = agreements
        self.minimumFreeDiskMebibytes = minimumFreeDiskMebibytes
        self.files = files
        self.holdPoints = holdPoints
    }

    /// What each placement of a layer is compared by: the plan's surfaces of a host, those of the layer in place of the ones of their
    /// names, and the layer's others.
    package func family(of layer: PlanLayer) -> [Surface] {
        let own = layer.evidence ?? []
        let shared = evidence.filter { $0.scope == .host }
        let replaced = shared.map { surface in own.first { $0.name == surface.name } ?? surface }
        return replaced + own.filter { surface in !shared.contains { $0.name == surface.name } }
    }

    /// Every surface of the family, whichever layer has it.
    package var allEvidence: [Surface] { evidence + layers.flatMap { $0.evidence ?? [] } }

    /// The numbers of the family and of the representative path.
    ///
    /// - Parameter layer: of whose placements; nil for what layers and the fleet say.
    package func measures(in layer: PlanLayer?) -> [ItemReference: Measure] {
        var measures: [ItemReference: Measure] = [:]
        for surface in (layer.map(family) ?? evidence) + [representativePath] {
            for measure in surface.reader.measures {
                measures[ItemReference(surface: surface.name, item: measure.name)] = measure
            }
        }
        return measures
    }

    package func layer(_ name: LayerName) -> PlanLayer? { layers.first { $0.name == name } }
}

/// The explicit source and target.
package struct VersionChange: Codable, Hashable, Sendable {
    package var from: Version
    package var to: Version

    package init(from: Version, to: Version) {
        self.from = from
        self.to = to
    }
}

/// The declared size of the change.
package enum ChangeClass: String, Codable, Hashable, Sendable, CaseIterable {
    case patch, minor, major, configuration, emergency
}

/// Something a person read or agreed before the change.
package struct Review: Codable, Hashable, Sendable {
    package var title: String
    /// A URL, ticket or commit.
    package var reference: String

    package init(title: String, reference: String) {
        self.title = title
        self.reference = reference
    }
}

/// Two items that must always agree, such as a service's health and its readiness.
package struct Agreement: Codable, Hashable, Sendable {
    package var one: ItemReference
    package var other: ItemReference

    package init(_ one: ItemReference, _ other: ItemReference) {
        self.one = one
        self.other = other
    }
}

/// A host that the plan leaves out on purpose.
package struct Exclusion: Codable, Hashable, Sendable {
    package var host: HostName
    package var reason: String

    package init(host: HostName, reason: String) {
        self.host = host
        self.reason = reason
    }
}

/// A fault that existed before and is accepted by name, until a given time.
package struct Waiver: Codable, Hashable, Sendable {
    package var surface: SurfaceName
    package var item: String
    /// Only on this host; nil means on every host.
    package var host: HostName?
    package var owner: Owner
    package var reason: String
    /// Milliseconds since 1970, UTC.
    package var expiresAtMilliseconds: Int64

    package init(
        surface: SurfaceName, item: String, host: HostName? = nil, owner: Owner, reason: String,
        expiresAtMilliseconds: Int64
    ) {
        self.surface = surface
        self.item = item
        self.host = host
        self.owner = owner
        self.reason = reason
        self.expiresAtMilliseconds = expiresAtMilliseconds
    }
}

/// One layer's part of the plan.
package struct PlanLayer: Codable, Hashable, Sendable {
    package var name: LayerName
    /// The layer's own source and target; the plan's if the file gives none.
    package var version: VersionChange
    package var components: [Component]
    /// In order; `redeploy` is the minimum.
    package var steps: [Step]
    package var rollback: RollbackPosture
    /// Cumulative sizes; the last is 100%.
    package var batches: [BatchSize]
    /// How many hosts may change at once.
    package var maxInFlight: Int
    /// Minimum healthy time before the gate decides.
    package var soakSeconds: Int
    /// Time between two captures while warming up and soaking.
    package var sampleSeconds: Int
    /// How long a changed host may take to become healthy.
    package var healthyWithinSeconds: Int
    /// Maximum time a batch may go without progress.
    package var progressDeadlineSeconds: Int
    /// How long a changed host waits to be reached over a new connection before it rolls back by itself; nil for never.
    package var confirmWithinSeconds: Int?
    /// What its placements are compared by beside the plan's evidence, or instead of what has the same name there; nil for nothing.
    package var evidence: [Surface]?
    /// What its owner counts as a failed intermediate step, beyond the exits, signals, timeouts and lost results that
    /// always count. Shown with the plan and with the boundary record.
    package var failedWhen: [String]
    /// What the change is expected to alter besides versions.
    package var expects: [ItemReference]
    /// The versions of lower layers that this layer is declared to work with, before and after its own change. A lower
    /// layer that is not listed cannot roll back alone once this layer has changed.
    package var worksWith: [LayerName: [Version]]
    /// The files that must be on its hosts before anything changes, as whoever builds the release lists them; nil if the plan
    /// does not say.
    package var release: ReleaseManifest?

    package init(
        name: LayerName, version: VersionChange, components: [Component], steps: [Step],
        rollback: RollbackPosture, batches: [BatchSize], maxInFlight: Int = 1, soakSeconds: Int,
        sampleSeconds: Int, healthyWithinSeconds: Int, progressDeadlineSeconds: Int,
        confirmWithinSeconds: Int? = nil, evidence: [Surface]? = nil, failedWhen: [String],
        expects: [ItemReference] = [], worksWith: [LayerName: [Version]] = [:], release: ReleaseManifest? = nil
    ) {
        self.evidence = evidence
        self.name = name
        self.version = version
        self.components = components
        self.steps = steps
        self.rollback = rollback
        self.batches = batches
        self.maxInFlight = maxInFlight
        self.soakSeconds = soakSeconds
        self.sampleSeconds = sampleSeconds
        self.healthyWithinSeconds = healthyWithinSeconds
        self.progressDeadlineSeconds = progressDeadlineSeconds
        self.confirmWithinSeconds = confirmWithinSeconds
        self.failedWhen = failedWhen
        self.expects = expects
        self.worksWith = worksWith
        self.release = release
    }

    /// The first of some hosts that belongs to the layer. It runs the `once` steps.
    package func firstHost(among hosts: [Host]) -> HostName? { hosts.first { $0.placement(in: name) != nil }?.name }

    /// The steps that run on a host.
    ///
    /// - Parameters:
    ///   - host: of the layer.
    ///   - first: the host that runs the `once` steps.
    package func steps(on host: HostName, first: HostName?) -> [Step] { steps.filter { !$0.once || host == first } }
}

/// A part of a layer with its own version.
package struct Component: Codable, Hashable, Sendable {
    package var name: ComponentName
    package var version: VersionChange
    /// Versions that are allowed besides source and target, such as those a mixed fleet passes through.
    package var allowed: [Version]
    /// How the *running* process reports its version, never a file.
    package var observe: SurfaceSource
    /// The format of its answer; nil means JSON.
    package var format: BodyFormat?
    /// JSON Pointer to the version in the answer; `""` takes the trimmed text of a command.
    package var pointer: String
    /// What proves that the running process is the approved release; nil if only the process's own answer is used.
    package var runtime: RuntimeProof?

    package init(
        name: ComponentName, version: VersionChange, allowed: [Version] = [], observe: SurfaceSource,
        format: BodyFormat? = nil, pointer: String, runtime: RuntimeProof? = nil
    ) {
        self.name = name
        self.version = version
        self.allowed = allowed
        self.observe = observe
        self.format = format
        self.pointer = pointer
        self.runtime = runtime
    }

    /// The surface that reads its version.
    package var versionSurface: SurfaceName { SurfaceName("version:\(name)") }

    /// The surface that proves what runs.
    package var runtimeSurface: SurfaceName { SurfaceName("runtime:\(name)") }
}

/// One named mutation of a layer; each execution is an operation.
package struct Step: Codable, Hashable, Sendable {
    package var name: StepName
    package var command: ScriptCommand
    /// Whether running it again after a failure is declared safe.
    package var idempotent: Bool
    /// Runs only on the first host of the layer.
    package var once: Bool
    /// The step reboots the host, which may be unreachable for this long. Verification decides whether the step worked.
    /// Nil if a reboot counts as an interruption.
    package var rebootWithinSeconds: Int?

    package init(
        name: StepName, command: ScriptCommand, idempotent: Bool = false, once: Bool = false,
        rebootWithinSeconds: Int? = nil
    ) {
        self.name = name
        self.command = command
        self.idempotent = idempotent
        self.once = once
        self.rebootWithinSeconds = rebootWithinSeconds
    }
}

/// How a layer rolls back; decided before it changes.
package struct RollbackPosture: Codable, Hashable, Sendable {
    /// Nil for a one-way layer, which has none.
    package var command: ScriptCommand?
    package var boundary: RollbackBoundary
    /// What must be on the host before anything changes, such as the source release.
    package var requires: [RollbackArtifact]
    /// Files and folders that the rollback needs in their state from before the change, relative to the host's working
    /// directory; may hold placeholders. Nil for the folder of its script.
    package var keeps: [String]?

    package init(
        command: ScriptCommand?, boundary: RollbackBoundary, requires: [RollbackArtifact] = [], keeps: [String]? = nil
    ) {
        self.command = command
        self.boundary = boundary
        self.requires = requires
        self.keeps = keeps
    }
}

/// A path that a rollback needs, and its required content if the plan states one.
package struct RollbackArtifact: Hashable, Sendable, ExpressibleByStringLiteral {
    /// Relative to the host's working directory unless absolute; may hold placeholders.
    package var path: String
    /// The SHA-256 of the file.
    package var sha256: Digest?
    /// The path is a manifest in `sha256sum` format: every file it lists must match.
    package var isManifest: Bool

    package init(path: String, sha256: Digest? = nil, isManifest: Bool = false) {
        self.path = path
        self.sha256 = sha256
        self.isManifest = isManifest
    }

    package init(stringLiteral path: String) { self.init(path: path) }
}

extension RollbackArtifact: Codable {
    private enum CodingKeys: String, CodingKey { case path, sha256, isManifest }

    /// A bare path is written as a string.
    package init(from decoder: any Decoder) throws {
        if let path = try? decoder.singleValueContainer().decode(String.self) {
            self.init(path: path)
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            path: try container.decode(String.self, forKey: .path),
            sha256: try container.decodeIfPresent(Digest.self, forKey: .sha256),
            isManifest: try container.decodeIfPresent(Bool.self, forKey: .isManifest) ?? false)
    }

    package func encode(to encoder: any Encoder) throws {
        if sha256 == nil, !isManifest {
            var container = encoder.singleValueContainer()
            try container.encode(path)
            return
        }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(path, forKey: .path)
        try container.encodeIfPresent(sha256, forKey: .sha256)
        if isManifest { try container.encode(isManifest, forKey: .isManifest) }
    }
}

/// How far back a layer can roll.
package enum RollbackBoundary: String, Codable, Hashable, Sendable, CaseIterable {
    /// By this run until it is finalized, and later by a separate plan.
    case reversible
    /// Until the run is finalized; then what it needs is gone.
    case untilFinalize
    /// Only until a higher layer has changed.
    case untilNextLayer
    /// Never: rolling back would lose data. Nothing below it rolls back either.
    case oneWay
}

/// A cumulative batch size.
package enum BatchSize: Hashable, Sendable, CustomStringConvertible {
    case count(Int)
    case percent(Int)

    package var description: String {
        switch self {
        case .count(let count): "\(count)"
        case .percent(let percent): "\(percent)%"
        }
    }

    /// Reads `3` or `25%`; nil for anything else or out of range.
    package init?(_ text: String) {
        if let digits = text.rest(before: "%") {
            guard let percent = Int(digits), (1...100).contains(percent) else { return nil }
            self = .percent(percent)
        } else {
            guard let count = Int(text), count > 0 else { return nil }
            self = .count(count)
        }
    }
}

extension BatchSize: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let size = BatchSize(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is no batch size"))
        }
        self = size
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Plan {
    /// The names in a plan and its hosts that are no longer allowed, because an older build stored them. They are
    /// shown, held and rolled back, but the plan can no longer be approved or started.
    package func nameProblems(over hosts: [Host]) -> [String] {
        var problems: [String] = []
        func check(_ name: String, _ kind: String, _ grammar: NameGrammar) {
            if !grammar.accepts(name) { problems.append("'\(name)' is no \(kind) name; \(grammar.words)") }
        }
        check(name, "plan", .word)
        for surface in evidence + [representativePath] { check(surface.name.rawValue, "surface", .word) }
        for layer in layers {
            check(layer.name.rawValue, "layer", .machine)
            for step in layer.steps { check(step.name.rawValue, "step", .word) }
            for component in layer.components { check(component.name.rawValue, "component", .word) }
        }
        for host in hosts {
            check(host.name.rawValue, "host", .machine)
            if !host.user.isEmpty { check(host.user, "user", .login) }
            if HostAddress(host.address) == nil {
                problems.append(
                    "'\(host.address)' of host \(host.name) is not a valid address; \(HostAddress.remedy(for: host.address))"
                )
            }
            if let alias = host.ssh?.alias, !HostAddress.isHarmless(alias) {
                problems.append("'\(alias)' of host \(host.name) is not a valid name of ssh_config")
            }
        }
        return problems
    }
}
