import SafeText
import UpgradeDomain

/// The facts that `systemctl show` reports about one unit (org.freedesktop.systemd1(5)).
struct UnitFacts {
    static let properties = [
        "Id", "LoadState", "ActiveState", "SubState", "MainPID", "NeedDaemonReload", "NRestarts",
    ]
    private let values: Result<[String: String], LinkFailure>

    init(of unit: String, _ tool: HostTool) {
        self.init(
            tool.output(of: ["systemctl", "show", "--property=\(UnitFacts.properties.joined(separator: ","))", unit]))
    }

    init(_ output: Result<String, LinkFailure>) {
        values = output.map { text in
            var values: [String: String] = [:]
            for line in text.lines {
                guard let property = line.cut(at: "=") else { continue }
                values[String(property.before)] = String(property.after)
            }
            return values
        }
    }

    var item: EvidenceItem {
        switch values {
        case .failure(let failure): return .init(.unit, failure)
        case .success(let values):
            guard let active = values["ActiveState"], let sub = values["SubState"], let load = values["LoadState"]
            else { return .unknown(.unit, "systemctl's answer describes no unit") }
            guard load == "loaded" else { return .fails(.unit, "its unit file is \(load)") }
            guard active == "active" else { return .fails(.unit, "\(active) (\(sub))") }
            guard values["NeedDaemonReload"] != "yes" else {
                return .fails(.unit, "its unit file has changed since it was loaded: daemon-reload is due")
            }
            return .holds(.unit, "\(active) (\(sub))")
        }
    }

    /// Why systemctl did not answer.
    var failure: LinkFailure? {
        if case .failure(let failure) = values { failure } else { nil }
    }

    /// How often systemd started it again by itself, since a person or a script last did; nil if that is not known, as
    /// before systemd 235. Only services are started again.
    var restarts: Int? {
        guard case .success(let values) = values else { return nil }
        if let count = values["NRestarts"] { return Int(count) }
        return values["Id"].map { !$0.ends(with: ".service") } == true ? 0 : nil
    }

    func processID() throws(LinkFailure) -> Int32 {
        guard let pid = try values.get()["MainPID"].flatMap({ Int32($0) }), pid > 0 else {
            throw LinkFailure(isUnknown: false, "the unit has no main process")
        }
        return pid
    }
}
