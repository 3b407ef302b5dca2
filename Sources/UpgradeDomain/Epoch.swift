/// The fencing number of a lease: every lease of a ledger has a higher one, and a host follows the highest that it has seen.
///
/// At most 2^53 - 1, which every reader of JSON takes for the same number.
public struct Epoch: Hashable, Comparable, Sendable, Codable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    public static let highest = Epoch(clamping: .max)
    /// How far a host lets it rise at once. A restored ledger raises it by the seconds since 1970, which are fewer until 2106;
    /// whoever asks for more would shut out every other coordinator for ever.
    public static let largestRise: UInt64 = 1 << 32

    public let number: UInt64

    /// nil beyond ``highest``.
    public init?(_ number: UInt64) {
        guard number <= 9_007_199_254_740_991 else { return nil }
        self.number = number
    }

    public init(clamping number: UInt64) { self.number = min(number, 9_007_199_254_740_991) }

    public init(integerLiteral value: UInt64) { self.init(clamping: value) }

    public init(from decoder: any Decoder) throws {
        self.init(clamping: try decoder.singleValueContainer().decode(UInt64.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(number)
    }

    /// nil beyond ``highest``.
    public func raised(by rise: UInt64) -> Epoch? {
        let (sum, overflows) = number.addingReportingOverflow(rise)
        return overflows ? nil : Epoch(sum)
    }

    /// Whether a host that has seen this epoch lets another one follow.
    public func admits(_ next: Epoch) -> Bool {
        next >= self && next.number - number <= Epoch.largestRise
    }

    public var description: String { String(number) }
    public static func < (left: Epoch, right: Epoch) -> Bool { left.number < right.number }
}

/// With what a lease is told from every other one: by its ledger's count, and from those of a copy of the ledger by a token.
public struct Fence: Hashable, Sendable {
    public var epoch: Epoch
    /// nil of leases from before there were tokens.
    public var token: LeaseToken?

    public init(_ epoch: Epoch, _ token: LeaseToken?) {
        self.epoch = epoch
        self.token = token
    }
}

/// What a ledger knows of an epoch that has driven a host.
public enum EpochOrigin: Hashable, Sendable {
    /// It is one of its own leases, with this token; nil of those from before there were tokens.
    case given(LeaseToken?)
    /// It is at or below the floor of a restore: the ledger that was lost may have given it out.
    case beforeRestore
    /// It is somebody else's.
    case unknown
}
