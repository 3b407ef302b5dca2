/// The bounds that both sides hold each other to.
package enum ProtocolLimits {
    /// The protocol versions this build speaks, best first. In 2, a `capture` and a `start` may have `secretFiles`, and a
    /// `capture` a `head`; in 3, an `output` may have `droppedBytes`, a `surface` `errors`, an
    /// `attach` `follows`, and a `preflight` without a run `keeps`.
    package static let versions = [3, 2, 1]
    /// The best version that this build and a peer speak; nil for none.
    package static func version(sharedWith peer: [Int]) -> Int? { versions.first(where: peer.contains) }
    /// The longest line in either direction, newline included.
    package static let lineBytes = 1_048_576
    /// The deepest nesting of arrays and objects in a line.
    package static let nestingDepth = 32
    /// The longest raw answer that a surface returns; more is cut and marked *truncated*.
    package static let surfaceBytes = 262_144
    /// How much is returned of the end of what a command surface writes to its standard error.
    package static let surfaceErrorBytes = 2_048
    /// The largest slice of operation output in one reply.
    package static let outputSliceBytes = 65_536
    /// The most output kept of one operation; of more, the middle is dropped.
    package static let operationOutputBytes: Int64 = 16_777_216
    /// The most output sent to one `attach`: so much while it runs, and what is kept at its end.
    package static let attachedOutputBytes = 2 * operationOutputBytes
    /// The most surfaces, guardrails or paths in one request.
    package static let listEntries = 256
    /// The most lines before the agent's first one, such as the noise of rc files.
    package static let linesBeforeHello = 100
}
