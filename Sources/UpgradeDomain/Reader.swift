/// How a raw answer becomes typed items.
///
/// A value that no rule maps is *unknown*, and unknown blocks. Paths into the document are JSON Pointers (RFC 6901);
/// a path into one item may also be the bare name of a field.
public struct Reader: Codable, Hashable, Sendable {
    public var shape: ReaderShape
    public var format: BodyFormat
    /// Media types that count as an answer; empty takes JSON types for JSON. An answer without one is not refused.
    public var contentTypes: [String]
    /// What the document must say of itself, pointer -> text, such as `/status` -> `success`; an error that comes with
    /// HTTP 200 shows here.
    public var require: [String: String]
    /// JSON Pointer to where the items are; `""` is the whole document.
    public var items: String
    /// What names an item in a `statusList`; several are joined with `/`. For a `value` the item's name.
    public var key: [String]
    /// What holds an item's status in a `statusList` or `statusObjects`.
    public var status: String
    /// Further states of an item, asserted only where they are present and not empty.
    public var whenPresent: [String]
    /// Status words that mean healthy, compared without case.
    public var healthy: [String]
    /// Status words that mean unhealthy, compared without case.
    public var unhealthy: [String]
    /// Items that have no health check by design: present is enough.
    public var uncheckedKeys: [String]
    /// Numbers beside the items, or all there is in `measures`.
    public var measures: [Measure]
    public var timestamp: TimestampRule?

    public init(
        shape: ReaderShape, format: BodyFormat = .json, contentTypes: [String] = [], require: [String: String] = [:],
        items: String = "", key: [String] = ["name"], status: String = "status", whenPresent: [String] = [],
        healthy: [String] = Reader.commonHealthyWords, unhealthy: [String] = Reader.commonUnhealthyWords,
        uncheckedKeys: [String] = [], measures: [Measure] = [], timestamp: TimestampRule? = nil
    ) {
        self.shape = shape
        self.format = format
        self.contentTypes = contentTypes
        self.require = require
        self.items = items
        self.key = key
        self.status = status
        self.whenPresent = whenPresent
        self.healthy = healthy
        self.unhealthy = unhealthy
        self.uncheckedKeys = uncheckedKeys
        self.measures = measures
        self.timestamp = timestamp
    }

    public static let commonHealthyWords = ["healthy", "ok", "up", "ready", "running", "pass", "passing", "true"]
    public static let commonUnhealthyWords = [
        "unhealthy", "down", "error", "failed", "fail", "failing", "critical", "degraded", "not_ready", "stopped",
        "exited", "out_of_service", "false",
    ]
}

/// The common shapes of an answer.
public enum ReaderShape: String, Codable, Hashable, Sendable, CaseIterable {
    /// An array of `{name, status}` objects.
    case statusList
    /// An object of name -> status.
    case statusMap
    /// An object of name -> object with a status.
    case statusObjects
    /// Numbers only, each named by a measure.
    case measures
    /// One value, such as a version; its health is presence, its meaning the engine's to judge.
    case value
    /// The exit status of a command or the HTTP status alone: one item named `result`.
    case result
    /// An array of `{key, value, health}` objects, typed by whoever wrote it; health is healthy, unhealthy or unknown.
    case items
}

/// How a body is written.
public enum BodyFormat: String, Codable, Hashable, Sendable, CaseIterable {
    /// One JSON document.
    case json
    /// One JSON document per line, read as an array; an array in one piece is taken as it is.
    case jsonLines
}

/// A number, how far it may move between two captures, and where it must stay.
public struct Measure: Codable, Hashable, Sendable {
    /// The name of its item.
    public var name: String
    /// JSON Pointer into the document.
    public var pointer: String
    /// Outside of these it is unhealthy, whatever it was before.
    public var atLeast: Double?
    public var atMost: Double?
    /// How far it may rise or fall against the baseline; nil for any distance.
    public var rise: Tolerance?
    public var fall: Tolerance?

    public init(
        name: String, pointer: String, atLeast: Double? = nil, atMost: Double? = nil, rise: Tolerance? = nil,
        fall: Tolerance? = nil
    ) {
        self.name = name
        self.pointer = pointer
        self.atLeast = atLeast
        self.atMost = atMost
        self.rise = rise
        self.fall = fall
    }

    /// Whether `after` is close enough to `before`.
    public func tolerates(before: Double, after: Double) -> Bool {
        guard before.isFinite, after.isFinite else { return false }
        guard let tolerance = after >= before ? rise : fall else { return true }
        return abs(after - before) <= tolerance.allowance(at: before)
    }
}

/// An allowed distance; where both bounds are given the wider one counts.
public struct Tolerance: Codable, Hashable, Sendable {
    public var absolute: Double?
    /// Of the value before, in percent.
    public var percent: Double?

    public init(absolute: Double? = nil, percent: Double? = nil) {
        self.absolute = absolute
        self.percent = percent
    }

    func allowance(at value: Double) -> Double { max(absolute ?? 0, (percent ?? 0) / 100 * abs(value)) }
}

/// Where an answer says when it was made, and how old that may be.
public struct TimestampRule: Codable, Hashable, Sendable {
    /// JSON Pointer to an RFC 3339 time or to seconds since 1970, in the document or in each item.
    public var pointer: String
    public var maxAgeSeconds: Int
    /// Each item of a `statusList` or `statusObjects` has its own.
    public var perItem: Bool

    public init(pointer: String, maxAgeSeconds: Int, perItem: Bool = false) {
        self.pointer = pointer
        self.maxAgeSeconds = maxAgeSeconds
        self.perItem = perItem
    }
}
