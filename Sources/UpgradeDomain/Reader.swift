/// How a raw answer becomes typed items.
///
/// A value that no rule maps is *unknown*, and unknown blocks. Paths into the document are JSON Pointers (RFC 6901);
/// a path into one item may also be the bare name of a field.
package struct Reader: Codable, Hashable, Sendable {
    package var shape: ReaderShape
    package var format: BodyFormat
    /// Media types that count as an answer; empty takes JSON types for JSON. An answer without one is not refused.
    package var contentTypes: [String]
    /// What the document must say of itself, pointer -> text, such as `/status` -> `success`; an error that comes with
    /// HTTP 200 shows here.
    package var require: [String: String]
    /// JSON Pointer to where the items are; `""` is the whole document.
    package var items: String
    /// What names an item in a `statusList`; several are joined with `/`. For a `value` the item's name.
    package var key: [String]
    /// What holds an item's status in a `statusList` or `statusObjects`.
    package var status: String
    /// Further states of an item, asserted only where they are present and not empty.
    package var whenPresent: [String]
    /// Status words that mean healthy, compared without case.
    package var healthy: [String]
    /// Status words that mean unhealthy, compared without case.
    package var unhealthy: [String]
    /// Items that have no health check by design: present is enough.
    package var uncheckedKeys: [String]
    /// Numbers beside the items, or all there is in `measures`.
    package var measures: [Measure]
    package var timestamp: TimestampRule?

    package init(
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

    package static let commonHealthyWords = ["healthy", "ok", "up", "ready", "running", "pass", "passing", "true"]
    package static let commonUnhealthyWords = [
        "unhealthy", "down", "error", "failed", "fail", "failing", "critical", "degraded", "not_ready", "stopped",
        "exited", "out_of_service", "false",
    ]
}

/// The common shapes of an answer.
package enum ReaderShape: String, Codable, Hashable, Sendable, CaseIterable {
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
package enum BodyFormat: String, Codable, Hashable, Sendable, CaseIterable {
    /// One JSON document.
    case json
    /// One JSON document per line, read as an array; an array in one piece is taken as it is.
    case jsonLines
}

/// A number, how far it may move between two captures, and where it must stay.
package struct Measure: Codable, Hashable, Sendable {
    /// The name of its item.
    package var name: String
    /// JSON Pointer into the document.
    package var pointer: String
    /// Outside of these it is unhealthy, whatever it was before.
    package var atLeast: Double?
    package var atMost: Double?
    /// How far it may rise or fall against the baseline; nil for any distance.
    package var rise: Tolerance?
    package var fall: Tolerance?

    package init(
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
    package func tolerates(before: Double, after: Double) -> Bool {
        guard before.isFinite, after.isFinite else { return false }
        guard let tolerance = after >= before ? rise : fall else { return true }
        return abs(after - before) <= tolerance.allowance(at: before)
    }
}

/// An allowed distance; where both bounds are given the wider one counts.
package struct Tolerance: Codable, Hashable, Sendable {
    package var absolute: Double?
    /// Of the value before, in percent.
    package var percent: Double?

    package init(absolute: Double? = nil, percent: Double? = nil) {
        self.absolute = absolute
        self.percent = percent
    }

    func allowance(at value: Double) -> Double { max(absolute ?? 0, (percent ?? 0) / 100 * abs(value)) }
}

/// Where an answer says when it was made, and how old that may be.
package struct TimestampRule: Codable, Hashable, Sendable {
    /// JSON Pointer to an RFC 3339 time or to seconds since 1970, in the document or in each item.
    package var pointer: String
    package var maxAgeSeconds: Int
    /// Each item of a `statusList` or `statusObjects` has its own.
    package var perItem: Bool

    package init(pointer: String, maxAgeSeconds: Int, perItem: Bool = false) {
        self.pointer = pointer
        self.maxAgeSeconds = maxAgeSeconds
        self.perItem = perItem
    }
}
