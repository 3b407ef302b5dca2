import ContentDigest
package import UpgradeDomain

/// Everything that may run on one host under a plan, as owners sign it: a leaf of the ``HostTree``.
///
/// Each text is expanded as it is sent, but for the run's id, which is not known yet: such texts are of the form `OpenText`. It has no
/// address, port, key or label of its own, so that an edit of those voids nothing; a command that uses `${address}` holds the
/// address. What decides for the whole plan, such as soak times, is bound by the plan's digest.
package struct HostLeaf: Codable, Hashable, Sendable {
    package static let currentFormat = 1

    /// The version of this shape.
    package var format: Int
    package var host: HostName
    /// The account under which everything runs.
    package var account: String
    /// In plan order.
    package var placements: [LeafPlacement]
    /// What it captures for the whole fleet; nil if another host does, or none.
    package var fleetEvidence: LeafCapture?

    /// The canonical bytes, of which the digest is made.
    package func bytes() throws -> [UInt8] { try CanonicalJSON.encode(self) }

    /// The SHA-256 of a zero byte and the canonical bytes.
    package func digest() throws -> Digest { Digest.sha256(of: [0] + (try bytes())) }
}

/// What may run on a host for one layer.
package struct LeafPlacement: Codable, Hashable, Sendable {
    package var layer: LayerName
    package var from: Version
    package var to: Version
    /// Where commands run unless they say otherwise.
    package var directory: String
    /// The digest of the layer's release manifest; nil if it has none.
    package var release: Digest?
    package var steps: [LeafStep]
    /// Before each step.
    package var guardrails: [LeafCommand]
    package var rollback: LeafRollback
    /// Before and after, in the order of capture.
    package var evidence: LeafCapture
    /// What it captures for the whole layer; nil if another host does, or none.
    package var layerEvidence: LeafCapture?
    /// After how many seconds without a confirmation the host rolls back by itself; nil for never.
    package var confirmWithinSeconds: Int?
}

/// A command, fully expanded.
package struct LeafCommand: Codable, Hashable, Sendable {
    package var arguments: [String]
    /// Absolute.
    package var directory: String
    package var environment: [String: String]
    package var timeoutSeconds: Int
    /// The script whose content is recorded, if the plan names it.
    package var script: String?
    /// The digests of its arguments that are files of the release or of the plan, as far as these say; nil for none.
    package var files: [String: Digest]?
}

/// A step that runs on the host.
package struct LeafStep: Codable, Hashable, Sendable {
    package var name: StepName
    package var command: LeafCommand
    package var idempotent: Bool
    package var once: Bool
    package var rebootWithinSeconds: Int?
}

/// How the host is taken back, and how far.
package struct LeafRollback: Codable, Hashable, Sendable {
    package var boundary: RollbackBoundary
    /// Nil for a layer that never rolls back.
    package var command: LeafCommand?
    /// Before it.
    package var guardrails: [LeafCommand]
    package var keeps: [String]?
    package var requires: [RollbackArtifact]
}

/// A capture: where its commands run, and its surfaces in order.
package struct LeafCapture: Codable, Hashable, Sendable {
    package var directory: String
    package var surfaces: [LeafSurface]
}

/// A surface and its source, of which exactly one is present.
package struct LeafSurface: Codable, Hashable, Sendable {
    package var name: SurfaceName
    package var role: SurfaceRole
    package var command: LeafCommand?
    package var http: HTTPSource?
    package var runtime: RuntimeSource?
    package var tcp: TCPSource?
    package var unit: UnitSource?
    package var container: ContainerSource?
}
