/// The fencing number of a lease: every lease of a ledger has a higher one, and a host follows the highest that it has seen.
///
/// At most 2^53 - 1, which every reader of JSON takes for the same number.
package struct Epoch: Hashable, Comparable, Sendable, Codable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    package static let highest = Epoch(clamping: .max)
    /// How far a host lets it rise at once. A restored ledger raises it by the seconds since 1970, which are fewer until 2106;
    /// whoever asks for more would shut out every other coordinator for ever.
    package static let largestRise: UInt64 = 1 << 32

    package let number: UInt64

    /// nil beyond ``highest``.
    package init?(_ number: UInt64) {
        guard number <= 9_007_199_254_740_991 else { return nil }
        self.number = number
    }

    package init(clamping number: UInt64) { self.number = min(number, 9_007_199_254_740_991) }

    package init(integerLiteral value: UInt64) { self.init(clamping: value) }

    package init(from decoder: any Decoder) throws {
        self.init(clamping: try decoder.singleValueContainer().decode(UInt64.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(number)
    }

    /// nil beyond ``highest``.
    package func raised(by rise: UInt64) -> Epoch? {
        let (sum, overflows) = number.addingReportingOverflow(rise)
        return overflows ? nil : Epoch(sum)
    }

    /// Whether a host that has seen this epoch lets another one follow.
    package func admits(_ next: Epoch) -> Bool {
        next >= self && next.number - number <= Epoch.largestRise
    }

    package var description: String { String(number) }
    package static func < (left: Epoch, right: Epoch) -> Bool { left.number < right.number }
}

/// With what a lease is told from every other one: by its ledger's count, and from those of a copy of the ledger by a token.
package struct Fence: Hashable, Sendable {
    package var epoch: Epoch
    /// nil of leases from before there were tokens.
    package var token: LeaseToken?

    package init(_ epoch: Epoch, _ token: LeaseToken?) {
        self.epoch = epoch
        self.token = token
    }
}

/// What a ledger knows of an epoch that has driven a host.
package enum EpochOrigin: Hashable, Sendable {
    /// It is one of its own leases, with this token; nil of those from before there were tokens.
    case given(LeaseToken?)
    /// It is at or below the floor of a restore: the ledger that was lost may have given it out.
    case beforeRestore
    /// It is somebody else's.
    case unknown
}
