import FileReading
import UpgradeDomain

/// Evidence of systemd units.
extension PlanReading {
    func readUnit(_ unit: WrittenUnit, _ key: String) -> SourceReading {
        SourceReading(
            key: key, source: .unit(UnitSource(name: unit.name, timeoutSeconds: unit.timeoutSeconds)),
            reader: Reader(shape: .items, items: "/items", measures: [.restarts(allowed: unit.allowedRestarts)]),
            keyOfReader: unit.restartsKey,
            version: .missing("from a unit", remedy: "ask what reports it: with http, a command or a banner"))
    }
}
