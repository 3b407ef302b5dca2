import SafeText

/// A rule for one text of a request to an agent. The reader of plan files and the agent have it from here: a plan that is
/// accepted is one that agents carry out.
package enum RequestRule: Hashable, Sendable {
    case executable
    case variableName
    /// A line of a request without `:`, which is what agents have always refused.
    case headerName
    /// A token (RFC 9110, 5.1).
    case headerToken
    case headerValue
    /// A file of the host.
    case hostFile
    case unitName
    /// A name that a tool of the host gets as an argument.
    case toolArgument
    case serverName
    /// An address, not a name.
    case numericAddress
    case serviceURL
    /// How long a surface may take.
    case surfaceSeconds
    /// A path below the working directory.
    case keptPath

    /// The most surfaces, variables, headers, guardrails or paths in one request.
    package static let listEntries = 256
    /// The longest timeout of one surface.
    package static let surfaceTimeoutSeconds = 3_600

    /// What is wrong with a text, and what to write instead.
    package struct Fault: Hashable, Sendable {
        package var words: String
        package var remedy: String
    }

    /// What is wrong with a text whose placeholders are replaced; nil if nothing is.
    package func fault(in text: String) -> Fault? {
        if case .serviceURL = self {
            guard let fault = ServiceURL.fault(in: text) else { return nil }
            return Fault(words: "URL '\(text)' \(fault.words)", remedy: fault.remedy)
        }
        guard let (words, remedy) = refusal(of: text) else { return nil }
        return Fault(words: words, remedy: remedy)
    }

    private func refusal(of text: String) -> (String, String)? {
        switch self {
        case .executable:
            return text.isEmpty ? ("a command has no executable", "write the executable and its arguments") : nil
        case .variableName:
            return text.isEmpty || text.holds(anyOf: "=")
                ? ("'\(text)' is not the name of a variable", "write a name without '='") : nil
        case .headerName:
            return text.isEmpty || text.holds(anyOf: ":\n\r")
                ? ("'\(text)' is not the name of a header", "write the name alone, such as Accept") : nil
        case .headerToken:
            return text.isEmpty || !text.utf8.allSatisfy(RequestRule.isOfToken)
                ? ("'\(text)' is not the name of a header", "write the name alone, such as Accept") : nil
        case .headerValue:
            return text.holds(anyOf: "\n\r") ? ("a header is not a single line of text", "write it in one line") : nil
        case .hostFile:
            return text.begins(with: "/") ? nil : ("'\(text)' is not an absolute path", "write where it is on the host")
        case .unitName:
            // systemctl takes a pattern for several units, and the last one would be judged.
            return text.isEmpty || text.begins(with: "-") || text.holds(anyOf: " \t\n*?[]/")
                ? ("'\(text)' is not the name of one unit", "write it as systemctl shows it: stack-api.service") : nil
        case .toolArgument:
            return text.isEmpty || text.begins(with: "-")
                ? ("the name '\(text)' is empty or begins with '-'", "write the name as the host's tool shows it") : nil
        case .serverName:
            return HostAddress(text) == nil
                ? (
                    "'\(text)' is not the name of a server",
                    "write a host name such as db.example.net, or an address, without a port"
                ) : nil
        case .numericAddress:
            return HostAddress(text)?.isNumeric == true
                ? nil : ("'\(text)' is not an address", "write an IPv4 or IPv6 address: the agent looks up no names")
        case .serviceURL: return nil
        case .surfaceSeconds:
            let range = 1...RequestRule.surfaceTimeoutSeconds
            return Int(text).map(range.contains) == true
                ? nil : ("evidence may not take \(text) s", "write 1 to \(RequestRule.surfaceTimeoutSeconds)")
        case .keptPath:
            let parts = text.fields(separatedBy: "/").filter { !$0.isSpelled(".") }
            return parts.isEmpty || text.begins(with: "/") || parts.contains { $0.isSpelled("..") }
                ? (
                    "'\(text)' is not below the working directory",
                    "name files and folders relative to the host's working directory, without '..'"
                ) : nil
        }
    }

    private static func isOfToken(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}

/// A text of a request, and the rule that it has to obey.
package struct RequestPart: Hashable, Sendable {
    /// The key under which a plan file has it.
    package var key: String
    package var text: String
    package var rule: RequestRule
    /// Whether placeholders in it are replaced.
    package var isExpanded = true
    /// Whether agents refuse the whole request otherwise. Where they do not, the evidence is unknown.
    package var isEnforced = true

    package init(key: String, text: String, rule: RequestRule, isExpanded: Bool = true, isEnforced: Bool = true) {
        (self.key, self.text, self.rule) = (key, text, rule)
        (self.isExpanded, self.isEnforced) = (isExpanded, isEnforced)
    }

    /// - Throws: the first fault that agents refuse.
    package static func check(_ parts: [RequestPart]) throws(RequestFault) {
        for part in parts where part.isEnforced {
            if let fault = part.rule.fault(in: part.text) { throw RequestFault(fault) }
        }
    }
}

/// Why a request is refused.
package struct RequestFault: Error, Hashable, Sendable {
    package var words: String

    init(_ fault: RequestRule.Fault) { words = fault.words }
}

extension ScriptCommand {
    /// The texts that agents check.
    package var requestParts: [RequestPart] {
        [RequestPart(key: "run", text: arguments.first ?? "", rule: .executable)]
            + environment.keys.sorted().map {
                RequestPart(key: "environment", text: $0, rule: .variableName, isExpanded: false)
            }
    }
}

extension SurfaceSource {
    /// The texts that agents check.
    package var requestParts: [RequestPart] {
        let seconds = RequestPart(
            key: "timeoutSeconds", text: "\(timeoutSeconds)", rule: .surfaceSeconds, isExpanded: false)
        let own: [RequestPart] =
            switch self {
            case .http(let http): http.requestParts
            case .command(let command): command.requestParts
            case .runtime(let runtime):
                (runtime.unit.map { [RequestPart(key: "unit", text: $0, rule: .unitName)] } ?? [])
                    + (runtime.container.map { [RequestPart(key: "container", text: $0.name, rule: .toolArgument)] }
                        ?? [])
            case .tcp(let tcp): tcp.requestParts
            case .unit(let unit):
                [
                    RequestPart(key: "unit", text: unit.name, rule: .unitName, isEnforced: false),
                    RequestPart(key: "unit", text: unit.name, rule: .toolArgument),
                ]
            case .container(let container):
                [RequestPart(key: "container", text: container.name, rule: .toolArgument)]
            }
        return [seconds] + own
    }

    /// How many entries its lists have, by their keys; an agent takes ``RequestRule/listEntries`` of each.
    package var listCounts: [String: Int] {
        switch self {
        case .http(let http): ["headers": http.headers.count + http.secretHeaders.count]
        case .command(let command): command.listCounts
        case .runtime(let runtime): ["ports": runtime.ports.count]
        case .tcp, .unit, .container: [:]
        }
    }
}

extension ScriptCommand {
    package var listCounts: [String: Int] { ["environment": environment.count] }
}

extension HTTPSource {
    fileprivate var requestParts: [RequestPart] {
        func names(_ names: some Sequence<String>, _ key: String) -> [RequestPart] {
            names.sorted().flatMap {
                [
                    RequestPart(key: key, text: $0, rule: .headerName, isExpanded: false),
                    RequestPart(key: key, text: $0, rule: .headerToken, isExpanded: false, isEnforced: false),
                ]
            }
        }
        let own = [tls?.caFile, tls?.certificateFile, tls?.keyFile].compactMap(\.self)
        return [RequestPart(key: "url", text: url, rule: .serviceURL, isEnforced: false)]
            + names(headers.keys, "headers") + names(secretHeaders.keys, "secretHeaders")
            + headers.values.sorted().map { RequestPart(key: "headers", text: $0, rule: .headerValue) }
            + secretHeaders.values.map(\.prefix).sorted().map {
                RequestPart(key: "prefix", text: $0, rule: .headerValue, isExpanded: false, isEnforced: false)
            } + secretHeaders.values.map(\.file).sorted().map { RequestPart(key: "file", text: $0, rule: .hostFile) }
            + own.map { RequestPart(key: "tls", text: $0, rule: .hostFile, isExpanded: false) }
    }
}

extension TCPSource {
    fileprivate var requestParts: [RequestPart] {
        // A host's address in the inventory may be a name that the host itself can look up; openssl gets numbers only.
        let rule: RequestRule = tls == nil && address.holds(anyOf: "$") ? .serverName : .numericAddress
        let place = RequestPart(key: "address", text: address, rule: rule, isEnforced: tls != nil)
        guard let tls else { return [place] }
        return [tls.caFile, tls.certificateFile, tls.keyFile].compactMap(\.self).map {
            RequestPart(key: "tls", text: $0, rule: .hostFile)
        } + [place, RequestPart(key: "serverName", text: tls.serverName, rule: .serverName)]
    }
}
