import AgentProtocol
import Glibc
import SafeText
import UpgradeDomain

/// TLS of a service through the host's own openssl, which has the host's trust store. openssl verifies; a connection that it does
/// not accept is no answer.
enum TLSCapture {
    /// What the answer holds; pointers of a plan may lead into it.
    private struct Document: Encodable {
        struct Certificate: Encodable {
            /// Whole days until it ends.
            var days: Int64
            var endsAt: String
            var subject: String
        }
        struct TLS: Encodable {
            var version: Double?
        }
        var certificate: Certificate
        var tls: TLS
    }

    /// How much of the end of openssl's messages is kept.
    private static let errorBytes = 8_192
    private static let dayMilliseconds: Int64 = 86_400_000

    static func answer(_ source: TCPSource, _ setting: CaptureSetting) -> SurfaceAnswer {
        guard let tls = source.tls else { return .failed(.notRun, "no TLS was asked for") }
        let deadline = Deadline(after: .seconds(source.timeoutSeconds))
        let command = CommandSetting(
            ScriptCommand(arguments: arguments(for: source, tls), timeoutSeconds: source.timeoutSeconds),
            hostDirectory: setting.workingDirectory)
        guard command.executable != nil else {
            return .failed(.notRun, "\(source.place): TLS needs openssl, which is not installed on the host")
        }
        let taken = CommandCapture.run(command, errorBytes: errorBytes, isWanted: setting.isWanted)
        if let failure = taken.failure {
            return failure.code == .timedOut
                ? .failed(.timedOut, "\(source.place) did not complete TLS within \(source.timeoutSeconds) s")
                : SurfaceAnswer(failure: failure)
        }
        let output = String(decoding: taken.output, as: UTF8.self)
        guard case .exited(code: 0) = taken.end, let certificate = certificate(in: output) else {
            let messages = String(decoding: taken.errors, as: UTF8.self)
            return SurfaceAnswer(failure: failure(of: source, saying: messages))
        }
        let tool = HostTool(workingDirectory: setting.workingDirectory, deadline: deadline, isWanted: setting.isWanted)
        return describe(certificate, version: version(in: output), source, tool)
    }

    /// The command line: the certificate is verified, for the name, and nothing is sent over the connection.
    static func arguments(for source: TCPSource, _ tls: ServiceTLS) -> [String] {
        let isV6 = source.address.holds(anyOf: ":")
        var arguments = [
            "openssl", "s_client", "-connect", (isV6 ? "[\(source.address)]" : source.address) + ":\(source.port)",
            "-verify", "16", "-verify_return_error",
        ]
        if HostAddress(tls.serverName)?.isNumeric == true {
            arguments += ["-verify_ip", tls.serverName]
        } else {
            arguments += ["-servername", tls.serverName, "-verify_hostname", tls.serverName]
        }
        if let protocolName = tls.startTLS { arguments += ["-starttls", protocolName.rawValue] }
        if tls.startTLS == .xmpp { arguments += ["-xmpphost", tls.serverName] }
        for (option, file) in [("-CAfile", tls.caFile), ("-cert", tls.certificateFile), ("-key", tls.keyFile)] {
            if let file { arguments += [option, file] }
        }
        return arguments
    }

    /// Why there is no verified connection, in openssl's words.
    static func failure(of source: TCPSource, saying messages: String) -> UnknownReason {
        let lines = messages.lines.map(\.trimmed)
        func words(after mark: String) -> String? {
            lines.lazy.compactMap { $0.rest(after: mark) }.first.map { String($0) }
        }
        if let error = words(after: "verify error:"), let cause = error.cut(at: ":")?.after {
            let hint = source.tls?.caFile == nil ? "; tls.caFile names what to trust" : ""
            return reason(
                .untrusted,
                "the certificate of \(source.place) is not trusted for \(source.tls?.serverName ?? ""): \(cause)\(hint)"
            )
        }
        if let code = words(after: "connect:errno=").flatMap({ Int32($0) }) {
            return reason(.unreachable, "\(source.place): \(systemErrorText(code))")
        }
        // 80AB...:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../ssl/record.c:354:
        let errors = lines.compactMap { line -> Substring? in
            guard let error = line.pieces(separatedBy: ":error:").dropFirst().first else { return nil }
            let fields = error.pieces(separatedBy: ":")
            return fields.count > 3 ? fields[3] : nil
        }
        return reason(
            .unreachable,
            "\(source.place) did not complete TLS: \(errors.first ?? lines.last { !$0.isEmpty } ?? "openssl did not say why")"
        )
    }

    private static func reason(_ code: UnknownReason.Code, _ detail: String) -> UnknownReason {
        UnknownReason(code, String(detail.prefix(AgentLimits.detailCharacters)))
    }

    // MARK: What openssl prints

    /// The server's certificate as PEM, if its verification passed.
    static func certificate(in output: String) -> [UInt8]? {
        let lines = output.lines
        guard lines.contains(where: { $0.trimmed.isSpelled("Verify return code: 0 (ok)") }),
            let start = lines.firstIndex(where: { $0.isSpelled("-----BEGIN CERTIFICATE-----") }),
            let end = lines[start...].firstIndex(where: { $0.isSpelled("-----END CERTIFICATE-----") })
        else { return nil }
        return Array(lines[start...end].map { $0 + "\n" }.joined().utf8)
    }

    /// `1.3` of `New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384`.
    static func version(in output: String) -> Double? {
        for line in output.lines {
            let parts = line.pieces(separatedBy: ", ")
            guard parts.count > 2, parts[2].begins(with: "Cipher is"), let number = parts[1].rest(after: "TLSv") else {
                continue
            }
            return Double(String(number))
        }
        return nil
    }

    private static func describe(
        _ certificate: [UInt8], version: Double?, _ source: TCPSource, _ tool: HostTool
    ) -> SurfaceAnswer {
        guard let file = MemoryFile(certificate) else {
            return .failed(.notRun, "no room for a certificate: \(systemErrorText(errno))")
        }
        let description = tool.output(of: ["openssl", "x509", "-noout", "-enddate", "-subject", "-in", file.path])
        switch description {
        case .failure(let failure): return .failed(.unparsable, "the certificate of \(source.place): \(failure.words)")
        case .success(let text):
            func value(_ name: String) -> String? {
                text.lines.lazy.compactMap { $0.rest(after: name + "=") }.first.map { String($0.trimmed) }
            }
            guard let written = value("notAfter"), let end = time(written) else {
                return .failed(.unparsable, "openssl does not say when the certificate of \(source.place) ends")
            }
            let left = end.milliseconds(since: .now)
            return .document(
                Document(
                    certificate: Document.Certificate(
                        days: left / dayMilliseconds, endsAt: end.rfc3339, subject: value("subject") ?? ""),
                    tls: Document.TLS(version: version)))
        }
    }

    /// A time as openssl prints it: `Dec  1 15:56:46 2026 GMT`.
    static func time(_ text: String) -> WallTime? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let fields = text.fields(separatedBy: " ").filter { !$0.isEmpty }.map { String($0) }
        guard fields.count == 5, fields[4].isSpelled("GMT"), fields[3].utf8.count == 4,
            let month = months.firstIndex(where: { $0.isSpelled(fields[0]) })
        else { return nil }
        func two(_ text: String) -> String { text.utf8.count < 2 ? "0\(text)" : text }
        return WallTime(rfc3339: "\(fields[3])-\(two("\(month + 1)"))-\(two(fields[1]))T\(fields[2])Z")
    }
}
