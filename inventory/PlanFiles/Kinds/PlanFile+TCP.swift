import FileReading
import UpgradeDomain

/// Evidence of TCP ports.
extension PlanReading {
    func readTCP(_ own: Section<TCPKeys>, _ key: String) -> SourceReading? {
        guard let port = own.value(\.port) else { return nil }
        let banner = own.value(\.banner)
        if banner?.utf8.contains(where: { $0 == 0x0a || $0 == 0x0d }) == true {
            reader.report(
                own.line(of: \.banner), "the banner has an end of line",
                "write how the first line begins, without its end")
        }
        var source = TCPSource(
            address: own.value(\.address), port: port, banner: banner, timeoutSeconds: own.value(\.timeoutSeconds))
        guard own.field(\.tls) != nil else {
            return SourceReading(
                key: key, source: .tcp(source),
                version: source.banner != nil
                    ? .at("")
                    : .missing("from its port", remedy: "write how the line with the version begins: 'banner: TEXT'"))
        }
        if own.field(\.banner) != nil {
            reader.report(
                own.line(of: \.banner), "\(own.name) has both a banner and tls",
                "remove one: what the service says over TLS is not read. Two surfaces can look at one port")
        }
        guard let section = own.value(\.tls), let found = readServiceTLS(section) else { return nil }
        source.tls = found
        return SourceReading(
            key: key, source: .tcp(source), reader: certificateReader(days: section.value(\.certificateDays)),
            keyOfReader: section.field(\.certificateDays).map { _ in section.keys.certificateDays.name },
            version: .missing("from its certificate", remedy: "ask what reports it: with http, a command or a banner"))
    }

    /// A renewal changes when the certificate ends, and a newer server may speak a newer TLS: neither diverges.
    private func certificateReader(days: Int) -> Reader {
        Reader(
            shape: .measures,
            measures: [
                Measure(name: "certificateDays", pointer: "/certificate/days", atLeast: Double(days)),
                Measure(name: "tlsVersion", pointer: "/tls/version", fall: Tolerance(absolute: 0)),
            ])
    }

    private func readServiceTLS(_ own: Section<ServiceTLSKeys>) -> ServiceTLS? {
        guard let name = own.value(\.serverName) else { return nil }
        if own.field(\.keyFile) != nil, own.field(\.certificateFile) == nil {
            reader.report(
                own.line(of: \.keyFile), "\(own.name) has a key without a certificate",
                "add certificateFile, or remove it")
        }
        return ServiceTLS(
            serverName: name, startTLS: own.value(\.startTLS), caFile: own.value(\.caFile),
            certificateFile: own.value(\.certificateFile), keyFile: own.value(\.keyFile))
    }
}
