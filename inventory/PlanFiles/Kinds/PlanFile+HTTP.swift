import FileReading
import UpgradeDomain

/// Evidence over HTTP.
extension PlanReading {
    func readHTTP(_ own: Section<HTTPKeys>) -> HTTPSource? {
        guard let url = own.value(\.url) else { return nil }
        var source = HTTPSource(
            url: url, headers: own.value(\.headers), acceptedStatuses: own.value(\.acceptedStatuses),
            timeoutSeconds: own.value(\.timeoutSeconds), retriesWhenLimited: own.value(\.retriesWhenLimited),
            fleetRequestsPerSecond: own.value(\.fleetRequestsPerSecond))
        for header in own.value(\.secretHeaders) {
            guard let secret = header.value, let file = secret.value(\.file) else { continue }
            source.secretHeaders[header.key] = SecretReference(file: file, prefix: secret.value(\.prefix))
        }
        source.tls = own.value(\.tls).map { tls in
            TLSOptions(
                caFile: tls.value(\.caFile), certificateFile: tls.value(\.certificateFile),
                keyFile: tls.value(\.keyFile))
        }
        return source
    }
}
