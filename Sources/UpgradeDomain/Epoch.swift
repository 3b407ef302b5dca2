/// The fencing number of a lease. Every new lease of a ledger has a higher one, and a host follows the highest it has
/// seen.
///
/// At most 2^53 - 1, the largest value that every JSON reader reads exactly.
package struct Epoch: Hashable, Comparable, Sendable, Codable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    package static let highest = Epoch(clamping: .max)
    /// How far a host lets it rise at once. A restored ledger raises it by the seconds since 1970, which stay below
    /// this until 2106. A larger jump would lock out every other coordinator permanently.
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

    /// Whether a host that has seen this epoch accepts the next one.
    package func admits(_ next: Epoch) -> Bool {
        next >= self && next.number - number <= Epoch.largestRise
    }

    package var description: String { String(number) }
    package static func < (left: Epoch, right: Epoch) -> Bool { left.number < right.number }
}

/// What distinguishes a lease from every other: the epoch within its ledger, and a token that also distinguishes it
/// from leases of a copy of the ledger.
package struct Fence: Hashable, Sendable {
    package var epoch: Epoch
    /// nil for leases from before tokens existed.
    package var token: LeaseToken?

    package init(_ epoch: Epoch, _ token: LeaseToken?) {
        self.epoch = epoch
        self.token = token
    }
}

/// What a ledger knows about an epoch that has driven a host.
package enum EpochOrigin: Hashable, Sendable {
    /// It is one of this ledger's own leases, with this token; nil for leases from before tokens existed.
    case given(LeaseToken?)
    /// It is at or below the floor set by a restore: the lost ledger may have issued it.
    case beforeRestore
    /// It is none of these: some other ledger issued it.
    case unknown
}
