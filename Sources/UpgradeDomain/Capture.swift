import SafeText

/// One capture of the evidence family (or a part of it), as typed values.
package struct Capture: Codable, Hashable, Sendable {
    package var subject: EvidenceSubject
    /// The coordinator's wall clock when the capture began.
    package var takenAt: WallTime
    package var surfaces: [SurfaceReading]
    /// The surfaces of the subject that were not asked for, because they were not due; nil if all were. They are not compared.
    package var omits: [SurfaceName]?

    package init(
        subject: EvidenceSubject, takenAt: WallTime, surfaces: [SurfaceReading], omits: [SurfaceName]? = nil
    ) {
        self.subject = subject
        self.takenAt = takenAt
        self.surfaces = surfaces
        self.omits = omits
    }

    package var isWhole: Bool { omits?.isEmpty != false }

    package func surface(_ name: SurfaceName) -> SurfaceReading? { surfaces.first { $0.name == name } }

    package func item(_ reference: ItemReference) -> EvidenceItem? {
        surface(reference.surface)?.items.first { $0.key == reference.item }
    }
}

/// The subject that a capture describes.
package enum EvidenceSubject: Hashable, Sendable, CustomStringConvertible {
    case placement(Placement)
    case layer(LayerName)
    case fleet

    package var description: String {
        switch self {
        case .placement(let placement): "\(placement)"
        case .layer(let layer): "layer:\(layer)"
        case .fleet: "fleet"
        }
    }

    package init(_ text: String) {
        if text == "fleet" {
            self = .fleet
        } else if let placement = Placement(text) {
            self = .placement(placement)
        } else {
            self = .layer(LayerName(String(text.cut(at: ":")?.after ?? "")))
        }
    }
}

extension EvidenceSubject: Codable, CodingKeyRepresentable {
    package init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package var codingKey: any CodingKey { TextKey(description) }
    package init?(codingKey: some CodingKey) { self.init(codingKey.stringValue) }
}

/// One surface of a capture: how it answered, and its items.
package struct SurfaceReading: Codable, Hashable, Sendable {
    package var name: SurfaceName
    package var role: SurfaceRole
    package var durationMilliseconds: Int64
    /// The HTTP status or exit code; nil if there was no answer.
    package var resultCode: Int?
    /// The raw answer, stored by digest; nil if there was none.
    package var rawDigest: Digest?
    /// SHA-256 of the script that produced the answer, for command surfaces.
    package var instrumentDigest: Digest?
    /// Why the whole surface is unknown; nil if it could be read.
    package var unknown: UnknownReason?
    package var items: [EvidenceItem]
    /// The last lines that a command printed, on stdout or stderr, if its answer is not a good one; nil if it printed
    /// nothing.
    package var printed: [String]?

    package init(
        name: SurfaceName, role: SurfaceRole, durationMilliseconds: Int64, resultCode: Int? = nil,
        rawDigest: Digest? = nil, instrumentDigest: Digest? = nil, unknown: UnknownReason? = nil,
        items: [EvidenceItem] = [], printed: [String]? = nil
    ) {
        self.printed = printed
        self.name = name
        self.role = role
        self.durationMilliseconds = durationMilliseconds
        self.resultCode = resultCode
        self.rawDigest = rawDigest
        self.instrumentDigest = instrumentDigest
        self.unknown = unknown
        self.items = items
    }
}

/// The role of a surface in the verdict.
package enum SurfaceRole: String, Codable, Hashable, Sendable, CaseIterable {
    /// The running version of a component.
    case version
    /// The chain from the approved release to the running process.
    case runtime
    /// The materialization check.
    case materialization
    /// A member of the evidence family.
    case family
    /// The representative path.
    case path
}

/// Why a surface could not be read. Every one of these blocks.
package struct UnknownReason: Error, Codable, Hashable, Sendable {
    /// The reason, as a closed list.
    package enum Code: String, Codable, Hashable, Sendable {
        case unreachable, timedOut, unacceptedStatus, wrongContentType, truncated, unparsable, errorBody, noItems, stale
        case contradictory, notRun
        /// A server that cannot prove its identity, or a script that was replaced while it ran.
        case untrusted
    }
    package var code: Code
    package var detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }
}

/// One typed fact of a surface.
package struct EvidenceItem: Codable, Hashable, Sendable {
    package var key: String
    package var value: String
    package var health: Health

    package init(key: String, value: String, health: Health) {
        self.key = key
        self.value = value
        self.health = health
    }
}

/// The health that an item reports.
package enum Health: String, Codable, Hashable, Sendable, Comparable {
    case healthy, unhealthy, unknown

    /// The worse of two is the larger. Unknown is the worst, and a waiver never covers it.
    package static func < (left: Health, right: Health) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .healthy: 0
        case .unhealthy: 1
        case .unknown: 2
        }
    }
}
