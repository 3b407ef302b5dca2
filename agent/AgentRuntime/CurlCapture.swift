import AgentProtocol
import Glibc
import UpgradeDomain

/// HTTP through the host's own curl, where TLS or a name needs the host's trust store or resolver.
enum CurlCapture {
    static func run(_ source: HTTPSource, workingDirectory: String, isWanted: () -> Bool) -> HTTPAnswer {
        // In a file of the agent's own, as arguments can be read by everybody on the host.
        guard let headers = HeaderFile(source.headers) else {
            return .failed(.notRun, "no room for a request's headers: \(systemErrorText(errno))")
        }
        defer { headers.remove() }
        let setting = CommandSetting(
            ScriptCommand(
                arguments: arguments(for: source, headers: headers.path), timeoutSeconds: source.timeoutSeconds + 1),
            hostDirectory: workingDirectory)
        guard setting.executable != nil else {
            return .failed(.notRun, "\(source.url) needs curl, which is not installed on the host")
        }
        let answer = CommandCapture.run(setting, isWanted: isWanted)
        if let failure = answer.failure { return HTTPAnswer(failure: failure) }
        switch answer.end {
        case .exited(code: 0): return parse(answer.output, isTruncated: answer.isTruncated)
        case .exited(code: 28):
            return .failed(.timedOut, "no complete answer within \(source.timeoutSeconds) s")
        case .exited(let code):
            return .failed(.unreachable, "curl exited \(code) for \(source.url) (see curl(1), exit codes)")
        case .signaled(let signal): return .failed(.unreachable, "curl was ended by signal \(signal)")
        case nil: return .failed(.unreachable, "curl did not end")
        }
    }

    /// The command line: no configuration file, no proxy, no redirects, headers in front of the body.
    static func arguments(for source: HTTPSource, headers: String) -> [String] {
        var arguments = ["curl", "--disable", "--silent", "--include", "--globoff", "--noproxy", "*"]
        arguments += ["--max-time", "\(source.timeoutSeconds)", "--header", "@\(headers)"]
        if let tls = source.tls {
            for (option, file) in [
                ("--cacert", tls.caFile), ("--cert", tls.certificateFile), ("--key", tls.keyFile),
            ] {
                if let file { arguments += [option, file] }
            }
        }
        return arguments + ["--url", source.url]
    }

    /// Reads `HTTP/x NNN ...`, headers, an empty line and the body; heads of 1xx announcements come before.
    static func parse(_ output: [UInt8], isTruncated: Bool) -> HTTPAnswer {
        var rest = output[...]
        while true {
            let line = rest.prefix { $0 != 0x0a }
            let words = line.split(separator: UInt8(ascii: " "))
            guard words.count >= 2, words[0].starts(with: Array("HTTP/".utf8)),
                let status = Int(String(decoding: words[1].prefix(3), as: UTF8.self)),
                let end = endOfHead(rest)
            else { return .failed(.unreachable, "curl's output is no HTTP answer") }
            let head = rest[..<end]
            rest = rest[end...]
            guard status >= 200 else { continue }
            return HTTPAnswer(
                status: status, body: Array(rest), isTruncated: isTruncated,
                contentType: value(of: "content-type", in: head),
                retryAfterSeconds: value(of: "retry-after", in: head).flatMap(HTTPAnswer.seconds))
        }
    }

    private static func value(of name: String, in head: ArraySlice<UInt8>) -> String? {
        for line in head.split(separator: 0x0a) {
            let parts = String(decoding: line, as: UTF8.self).split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == name else { continue }
            return String(parts[1].drop { $0.isWhitespace }.prefix { $0 != "\r" && $0 != "\r\n" })
        }
        return nil
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

/// Headers for curl, readable by the agent's user alone, for as long as the request takes.
private struct HeaderFile {
    let path: String

    /// Nil when the file can not be written; `errno` says why.
    init?(_ headers: [String: String]) {
        var template = Array("/tmp/lockflight-headers-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        defer { close(descriptor) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let text = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\n" }.joined()
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            remove()
            return nil
        }
    }

    func remove() { unlink(path) }
}
