import AgentProtocol
import Glibc
import SafeText
import UpgradeDomain

/// HTTP through the host's own curl, used if TLS or a name needs the host's trust store or resolver.
enum CurlCapture {
    static func run(
        _ source: HTTPSource, workingDirectory: String, limitBytes: Int, isWanted: () -> Bool
    ) -> HTTPAnswer {
        // Every user on the host can read a process's arguments.
        let lines = source.headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\n" }.joined()
        guard let headers = MemoryFile(Array(lines.utf8)) else {
            return .failed(.notRun, "no room for a request's headers: \(systemErrorText(errno))")
        }
        let setting = CommandSetting(
            ScriptCommand(
                arguments: arguments(for: source, headers: headers.path), timeoutSeconds: source.timeoutSeconds + 1),
            hostDirectory: workingDirectory)
        guard setting.executable != nil else {
            return .failed(.notRun, "\(source.url) needs curl, which is not installed on the host")
        }
        let answer = CommandCapture.run(
            setting, limitBytes: limitBytes + AgentLimits.headBytes, isWanted: isWanted)
        if let failure = answer.failure { return HTTPAnswer(failure: failure) }
        switch answer.end {
        case .exited(code: 0): return parse(answer.output, isTruncated: answer.isTruncated)
        case .exited(code: 28):
            return .failed(.timedOut, "no complete answer within \(source.timeoutSeconds) s")
        case .exited(let code): return HTTPAnswer(failure: failure(of: source, code, saying: answer.output))
        case .signaled(let signal): return .failed(.unreachable, "curl was ended by signal \(signal)")
        case nil: return .failed(.unreachable, "curl did not end")
        }
    }

    /// Why there is no answer, with curl's own message, and what can be done about it.
    static func failure(of source: HTTPSource, _ code: Int, saying output: [UInt8]) -> UnknownReason {
        let said = String(decoding: output, as: UTF8.self).lines.last { $0.begins(with: "curl: (") }
        let words =
            said?.cut(at: ")").map { String($0.after.trimmed) } ?? "curl exited \(code) (see curl(1), exit codes)"
        return switch code {
        case 60:
            UnknownReason(
                .untrusted, "the certificate of \(source.url) is not trusted: \(words); tls.caFile names what to trust")
        case 77: UnknownReason(.notRun, "tls.caFile can not be used for \(source.url): \(words)")
        case 58: UnknownReason(.notRun, "tls.certificateFile can not be used for \(source.url): \(words)")
        default: UnknownReason(.unreachable, "\(source.url): \(words)")
        }
    }

    /// The command line: no configuration file, no proxy, no redirects, headers before the body.
    static func arguments(for source: HTTPSource, headers: String) -> [String] {
        var arguments = [
            "curl", "--disable", "--silent", "--show-error", "--stderr", "-", "--include", "--globoff", "--noproxy",
            "*",
        ]
        arguments += [
            "--max-time", "\(source.timeoutSeconds)", "--header", "Accept-Encoding: identity", "--header",
            "@\(headers)",
        ]
        if let tls = source.tls {
            for (option, file) in [
                ("--cacert", tls.caFile), ("--cert", tls.certificateFile), ("--key", tls.keyFile),
            ] {
                if let file { arguments += [option, file] }
            }
        }
        return arguments + ["--url", source.url]
    }

    /// Reads `HTTP/x NNN ...`, headers, an empty line and the body. The heads of 1xx responses come first.
    static func parse(_ output: [UInt8], isTruncated: Bool) -> HTTPAnswer {
        var rest = output[...]
        while true {
            let line = rest.prefix { $0 != 0x0a }
            let words = line.split(separator: UInt8(ascii: " "))
            guard words.count >= 2, words[0].starts(with: Array("HTTP/".utf8)),
                let status = Int(String(decoding: words[1].prefix(3), as: UTF8.self)),
                let end = endOfHead(rest)
            else { return .failed(.unreachable, "curl's output is not an HTTP answer") }
            let head = rest[..<end]
            rest = rest[end...]
            guard status >= 200 else { continue }
            return HTTPAnswer(
                status: status, body: Array(rest), isTruncated: isTruncated,
                contentTypes: values(of: "content-type", in: head),
                contentEncodings: values(of: "content-encoding", in: head),
                locations: values(of: "location", in: head),
                retryAfterSeconds: values(of: "retry-after", in: head).first.flatMap(HTTPAnswer.seconds))
        }
    }

    /// The values of every header line with this name.
    private static func values(of name: String, in head: ArraySlice<UInt8>) -> [String] {
        String(decoding: head, as: UTF8.self).lines.compactMap { line in
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")),
                String(line[..<colon]).lowercasedASCII.isSpelled(name)
            else { return nil }
            let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
            return String(Substring(line[line.utf8.index(after: colon)...].utf8.drop(while: isSpace)))
        }
    }

    private static func endOfHead(_ bytes: ArraySlice<UInt8>) -> Int? {
        let mark: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a]
        guard bytes.count >= mark.count else { return nil }
        for start in bytes.startIndex...(bytes.endIndex - mark.count)
        where bytes[start] == 0x0d && bytes[start..<start + mark.count].elementsEqual(mark) {
            return start + mark.count
        }
        return nil
    }
}
