/// One source of evidence, and how to read it.
package struct Surface: Codable, Hashable, Sendable {
    package var name: SurfaceName
    package var scope: SurfaceScope
    package var source: SurfaceSource
    package var reader: Reader
    /// How often it is captured while a host soaks, at most; nil for with every sample. Everything that opens or closes a
    /// boundary captures it in any case.
    package var everySeconds: Int?

    package init(
        name: SurfaceName, scope: SurfaceScope = .host, source: SurfaceSource, reader: Reader, everySeconds: Int? = nil
    ) {
        self.name = name
        self.scope = scope
        self.source = source
        self.reader = reader
        self.everySeconds = everySeconds
    }
}

/// The scope of a surface, which decides how often it is captured.
package enum SurfaceScope: Codable, Hashable, Sendable {
    /// Captured on every placement.
    case host
    /// Captured once per boundary of each layer, from the named host.
    case layer(vantage: HostName)
    /// Captured once per boundary, from the named host.
    case fleet(vantage: HostName)
}

/// An item of a surface, by name.
package struct ItemReference: Codable, Hashable, Sendable, CustomStringConvertible {
    package var surface: SurfaceName
    package var item: String

    package init(surface: SurfaceName, item: String) {
        self.surface = surface
        self.item = item
    }

    package var description: String { "\(surface) \(item)" }
}

/// How a raw answer becomes typed items.
///
/// A value that no rule maps is *unknown*, and unknown blocks. Paths into the document are JSON Pointers (RFC 6901); a
/// path into one item may also be the bare name of a field.
package struct Reader: Codable, Hashable, Sendable {
    package var shape: ReaderShape
    package var format: BodyFormat
    /// Accepted media types; empty means JSON types for JSON. An answer without a media type is not refused.
    package var contentTypes: [String]
    /// Texts that the document must contain, pointer -> text, such as `/status` -> `success`. This catches an error
    /// that arrives with HTTP 200.
    package var require: [String: String]
    /// JSON Pointer to where the items are; `""` is the whole document.
    package var items: String
    /// The fields that name an item in a `statusList`; several are joined with `/`. For a `value`, the item's name.
    package var key: [String]
    /// The field with an item's status in a `statusList` or `statusObjects`.
    package var status: String
    /// Further states of an item, checked only if they are present and not empty.
    package var whenPresent: [String]
    /// Status words that mean healthy; case is ignored.
    package var healthy: [String]
    /// Status words that mean unhealthy; case is ignored.
    package var unhealthy: [String]
    /// Items that have no health check by design: being present is enough.
    package var uncheckedKeys: [String]
    /// Numbers besides the items, or the only content in `measures`.
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
    /// One value, such as a version. Its health is its presence; the engine judges its meaning.
    case value
    /// Only the exit status of a command or the HTTP status: one item named `result`.
    case result
    /// An array of `{key, value, health}` objects, typed by its author; health is healthy, unhealthy or unknown.
    case items
}

/// The format of a body.
package enum BodyFormat: String, Codable, Hashable, Sendable, CaseIterable {
    /// One JSON document.
    case json
    /// One JSON document per line, read as an array. A single JSON array is accepted too.
    case jsonLines
    /// One value per line, as `name: value` or `name=value`; see ``KeyValueLines``.
    case keyValues

    /// The media types that an answer of this format may have besides those of JSON.
    var textTypes: [String] {
        switch self {
        case .json: []
        case .jsonLines: ["application/x-ndjson", "application/jsonl", "text/plain"]
        case .keyValues: ["text/plain"]
        }
    }
}

/// A number, how far it may move between two captures, and the range it must stay in.
package struct Measure: Codable, Hashable, Sendable {
    /// The name of its item.
    package var name: String
    /// JSON Pointer into the document.
    package var pointer: String
    /// Whether the number is how many elements the list or object there has; nil means no.
    package var counts: Bool?
    /// Outside this range it is unhealthy, whatever it was before.
    package var atLeast: Double?
    package var atMost: Double?
    /// How far it may rise or fall relative to ``since``; nil for any distance.
    package var rise: Tolerance?
    package var fall: Tolerance?
    /// Nil for the baseline.
    package var since: MeasuredSince?

    package init(
        name: String, pointer: String, counts: Bool? = nil, atLeast: Double? = nil, atMost: Double? = nil,
        rise: Tolerance? = nil, fall: Tolerance? = nil, since: MeasuredSince? = nil
    ) {
        self.name = name
        self.pointer = pointer
        self.counts = counts
        self.atLeast = atLeast
        self.atMost = atMost
        self.rise = rise
        self.fall = fall
        self.since = since
    }

    /// The same measure with no limit to how far it may move.
    var withoutMotion: Measure {
        var measure = self
        (measure.rise, measure.fall) = (nil, nil)
        return measure
    }

    /// Whether `after` is close enough to `before`.
    package func tolerates(before: Double, after: Double) -> Bool {
        guard before.isFinite, after.isFinite else { return false }
        guard let tolerance = after >= before ? rise : fall else { return true }
        return abs(after - before) <= tolerance.allowance(at: before)
    }
}

/// With what a number is compared, if not with the baseline.
package enum MeasuredSince: String, Codable, Hashable, Sendable, CaseIterable {
    /// With the first look after the change. What the change itself does to the number does not matter, as with restarts; what
    /// it does later does. It is not compared before the change, after a rollback, or by a recheck, which a new soak follows.
    case change
}

/// An allowed distance. If both bounds are given, the wider one applies.
package struct Tolerance: Codable, Hashable, Sendable {
    package var absolute: Double?
    /// In percent of the earlier value.
    package var percent: Double?

    package init(absolute: Double? = nil, percent: Double? = nil) {
        self.absolute = absolute
        self.percent = percent
    }

    func allowance(at value: Double) -> Double { max(absolute ?? 0, (percent ?? 0) / 100 * abs(value)) }
}

/// Where an answer gives its own time, and how old that may be.
package struct TimestampRule: Codable, Hashable, Sendable {
    /// JSON Pointer to an RFC 3339 time or to seconds since 1970, in the document or in each item.
    package var pointer: String
    package var maxAgeSeconds: Int
    /// Each item of a `statusList` or `statusObjects` has its own timestamp.
    package var perItem: Bool

    package init(pointer: String, maxAgeSeconds: Int, perItem: Bool = false) {
        self.pointer = pointer
        self.maxAgeSeconds = maxAgeSeconds
        self.perItem = perItem
    }
}
