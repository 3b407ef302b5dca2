/// The limits of one ledger. Anything larger is refused before it is written.
package enum LedgerLimits {
    /// How long a call waits for another process that is writing.
    package static let busyTimeoutSeconds = 10
    package static let eventsPerAppend = 1_000
    /// The largest payload of one event; the first event of a thousand-host run is a few megabytes.
    package static let eventBytes = 16_777_216
    /// The largest sum of payloads in one append.
    package static let appendBytes = 67_108_864
    /// The maximum number of events that one read returns; readers page.
    package static let eventsPerRead = 1_000
    /// The largest inventory or plan.
    package static let documentBytes = 16_777_216
    /// The longest text that people sign: a statement, or a version of the policy.
    package static let signedBytes = 262_144
    /// The longest signature with its armour; one of RSA with 16,384 bits and a certificate stays below.
    package static let signatureBytes = 16_384
    /// How many signatures a statement or a version of the policy may have.
    package static let signaturesPerText = 256
    /// The largest raw answer or operation output.
    package static let blobBytes = 16_777_216
    /// The largest sum of raw answers and outputs in one append.
    package static let evidenceBytes = 268_435_456
    /// The longest run id and host name; both become parts of file names or keys.
    package static let nameCharacters = 64
    /// The shortest prefix of a digest or run ID that is looked up.
    package static let prefixCharacters = 4
    /// How far above its own epoch a restored ledger continues, to cover leases that were issued after its backup.
    static let epochsAfterRestore: UInt64 = 1_000_000
}
