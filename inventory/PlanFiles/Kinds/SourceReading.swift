import FileReading
import UpgradeDomain

/// A source as a plan file describes it, and what follows from its kind.
struct SourceReading {
    /// The key that names the kind.
    let key: String
    let source: SurfaceSource
    /// How the answer is judged if the plan does not say.
    var reader = Reader(shape: .result)
    /// A key of the source that the file has and that only counts in ``reader``.
    var keyOfReader: String?
    var version = VersionPlace.at("")

    /// Where the answer has the version of a component if the plan does not say.
    enum VersionPlace {
        case at(String)
        /// - Parameter words: continue "reads no version".
        case missing(_ words: String, remedy: String)

        var pointer: String {
            switch self {
            case .at(let pointer): pointer
            case .missing: ""
            }
        }
    }
}

extension PlanReading {
    /// The one kind that a surface or a component has.
    func readSource(_ own: Section<SourceKeys>) -> SourceReading? {
        let (keys, names) = (own.keys, own.keys.names)
        let written = [
            own.field(\.http), own.field(\.command), own.field(\.tcp), own.field(\.unit), own.field(\.container),
        ].compactMap { $0 }
        guard written.count == 1 else {
            if !own.isMisspelled(\.http), !own.isMisspelled(\.command), !own.isMisspelled(\.tcp),
                !own.isMisspelled(\.unit), !own.isMisspelled(\.container)
            {
                let words = names.dropLast().map { "'\($0):'" }.joined(separator: ", ")
                reader.report(
                    own.line, "\(own.name) needs one source", "write one of \(words) and '\(names.last ?? ""):'")
            }
            return nil
        }
        if let http = own.value(\.http) {
            return readHTTP(http).map { SourceReading(key: keys.http.name, source: .http($0)) }
        }
        if let command = own.value(\.command) {
            return readCommand(command).map { SourceReading(key: keys.command.name, source: .command($0)) }
        }
        if let tcp = own.value(\.tcp) { return readTCP(tcp, keys.tcp.name) }
        if let unit = own.value(\.unit) { return readUnit(unit, keys.unit.name) }
        return own.value(\.container).flatMap { readContainer($0, keys.container.name) }
    }
}

extension Measure {
    /// How often something was started again by itself, at `/restarts`.
    ///
    /// - Parameter allowed: how often it may be after the first look after the change.
    static func restarts(allowed: Int) -> Measure {
        Measure(name: "restarts", pointer: "/restarts", rise: Tolerance(absolute: Double(allowed)), since: .change)
    }
}
