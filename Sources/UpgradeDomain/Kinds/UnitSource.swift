/// A systemd unit of the system manager, inspected with `systemctl show`.
///
/// The answer is a JSON document: `/items` with its state, and `/restarts`, how often systemd started it again by itself.
package struct UnitSource: Codable, Hashable, Sendable {
    /// May hold placeholders.
    package var name: String
    package var timeoutSeconds: Int

    package init(name: String, timeoutSeconds: Int) {
        self.name = name
        self.timeoutSeconds = timeoutSeconds
    }

    /// Every text that may hold placeholders.
    package var texts: [String] { [name] }

    /// The source with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> UnitSource {
        UnitSource(name: replace(name), timeoutSeconds: timeoutSeconds)
    }
}
