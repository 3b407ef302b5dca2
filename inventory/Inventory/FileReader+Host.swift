import FileReading
import SafeText
import UpgradeDomain

/// What an inventory says of a host, as the reader takes it.
extension FileReader {
    /// A text with each `${name}` replaced; nil, with a problem recorded, if one has no value.
    func filled(_ text: String, _ line: Int, of host: HostName, _ values: PlaceholderValues) -> String? {
        guard !Placeholder.isUnclosed(text) else {
            report(
                line, "'\(text)' has a '${' without a '}'", "close it, or write '$${' for a literal '${'")
            return nil
        }
        guard let unknown = values.unknownNames(in: text).first else { return values.expand(text) }
        report(
            line, "'${\(unknown)}' has no value on host \(host)",
            "write '$${\(unknown)}' for a literal one, or use host, address, layer in a baseURL, or var.NAME with a variable of the host"
        )
        return nil
    }

    /// A text that is the URL of a service; nil, with a problem recorded, if it is not.
    func baseURL(_ text: String, _ line: Int) -> String? {
        let schemes = ["http://", "https://"].filter { text.utf8.starts(with: $0.utf8) }
        let rest = text.utf8.dropFirst(schemes.first?.utf8.count ?? text.utf8.count)
        guard !rest.isEmpty, rest.last != 0x2f, rest.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            report(
                line, "baseURL '\(text)' is not valid",
                "write scheme, host and port without a final slash, such as http://127.0.0.1:8080")
            return nil
        }
        return text
    }
}
