import FileReading
import UpgradeDomain

/// Evidence of containers.
extension PlanReading {
    func readContainer(_ own: Section<ContainerSourceKeys>, _ key: String) -> SourceReading? {
        guard let container = readContainerReference(own.part(\.container)) else { return nil }
        return SourceReading(
            key: key,
            source: .container(ContainerSource(container, timeoutSeconds: own.value(\.timeoutSeconds))),
            reader: Reader(
                shape: .items, items: "/items", measures: [.restarts(allowed: own.value(\.allowedRestarts))]),
            keyOfReader: own.field(\.allowedRestarts).map { _ in own.keys.allowedRestarts.name }, version: .at("/tag"))
    }
}
