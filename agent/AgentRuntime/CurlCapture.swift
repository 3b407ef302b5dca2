import AgentProtocol
import UpgradeDomain

/// HTTP through the host's own curl, where TLS or a name needs the host's trust store or resolver.
enum CurlCapture {
    static func run(_ source: HTTPSource, workingDirectory: String, isWanted: () -> Bool) -> HTTPAnswer {
        let setting = CommandSetting(
            ScriptCommand(arguments: arguments(for: source), timeoutSeconds: source.timeoutSeconds + 1),
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
    static func arguments(for source: HTTPSource) -> [String] {
        var arguments = ["curl", "--disable", "--silent", "--include", "--globoff", "--noproxy", "*"]
        arguments += ["--max-time", "\(source.timeoutSeconds)"]
        for (name, value) in source.headers.sorted(by: { $0.key < $1.key }) {
            arguments += ["--header", "\(name): \(value)"]
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
            rest = rest[end...]
            guard status >= 200 else { continue }
            return HTTPAnswer(status: status, body: Array(rest), isTruncated: isTruncated)
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
