/// A container of one engine on the host, inspected with the engine's command.
///
/// The answer is a JSON document: `/items` with its state and the id of its image, `/restarts`, how often the engine started
/// it again by itself, and `/tag`, the tag in the name of its image.
package struct ContainerSource: Codable, Hashable, Sendable {
    package var engine: ContainerReference.Engine
    /// May hold placeholders.
    package var name: String
    package var timeoutSeconds: Int

    package init(_ container: ContainerReference, timeoutSeconds: Int) {
        (engine, name) = (container.engine, container.name)
        self.timeoutSeconds = timeoutSeconds
    }

    package var container: ContainerReference { ContainerReference(engine: engine, name: name) }

    /// Every text that may hold placeholders.
    package var texts: [String] { [name] }

    /// The source with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> ContainerSource {
        var source = self
        source.name = replace(name)
        return source
    }
}
