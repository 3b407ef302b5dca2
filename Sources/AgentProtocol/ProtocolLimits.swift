import UpgradeDomain

/// The limits that both sides enforce on each other.
package enum ProtocolLimits {
    /// The protocol versions this build speaks, best first. In 2, a `capture` and a `start` may have `secretFiles`, and
    /// a `capture` a `head`. In 3, an `output` may have `droppedBytes`, a `surface` `errors`, an `attach` `follows`, a
    /// surface's source may be `tcp`, `unit` or `container`, a `preflight` without a run may have `keeps` and any
    /// `continues`, and files are brought with `carry`.
    package static let versions = [3, 2, 1]
    /// The best version that this build and a peer both speak; nil for none.
    package static func version(sharedWith peer: [Int]) -> Int? { versions.first(where: peer.contains) }
    /// The longest line in either direction, newline included.
    package static let lineBytes = 1_048_576
    /// The deepest nesting of arrays and objects in a line.
    package static let nestingDepth = 32
    /// The longest raw answer of a surface; a longer one is cut and marked *truncated*.
    package static let surfaceBytes = 262_144
    /// The most bytes of the files in one `carry`.
    package static let carriedBytes = 262_144
    /// How much of the end of a command surface's standard error is returned.
    package static let surfaceErrorBytes = 2_048
    /// The largest slice of operation output in one reply.
    package static let outputSliceBytes = 65_536
    /// The most output kept of one operation. If there is more, the middle is dropped.
    package static let operationOutputBytes: Int64 = 16_777_216
    /// The most output sent to one `attach`: this much while the operation runs, plus what is kept at its end.
    package static let attachedOutputBytes = 2 * operationOutputBytes
    /// The most surfaces, guardrails or paths in one request.
    package static let listEntries = RequestRule.listEntries
    /// The most lines before the agent's first one, such as the noise of rc files.
    package static let linesBeforeHello = 100
}
