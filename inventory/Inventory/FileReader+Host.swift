import FileReading
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
    /// - Parameter host: if the text was filled in for one.
    func baseURL(_ text: String, _ line: Int, of host: HostName? = nil) -> String? {
        if let fault = ServiceURL.baseFault(in: text) {
            report(
                line, "baseURL '\(text)'\(host.map { " of host \($0)" } ?? "") is not valid: it \(fault.words)",
                "\(fault.remedy); an example is \(ServiceURL.example)")
            return nil
        }
        return text
    }
}
