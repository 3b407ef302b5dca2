import SafeText

/// The words that a person gives to `ssh` before the host, as Ansible's `ansible_ssh_common_args` has them.
struct SSHWords {
    /// The value of each option by its name in lower case; like `ssh`, the first one that is given.
    private(set) var options: [String: String] = [:]
    /// The options' names as they were written, in their order.
    private(set) var names: [String] = []
    /// What follows the options: the host, and a command.
    private(set) var operands: [String] = []

    /// Options of `ssh` with a value (ssh(1)), and what they are called in ssh_config(5).
    private static let valued: [String: String] = [
        "-J": "ProxyJump", "-p": "Port", "-l": "User", "-i": "IdentityFile", "-F": "-F", "-c": "Ciphers", "-m": "MACs",
        "-b": "BindAddress", "-B": "BindInterface", "-D": "DynamicForward", "-E": "-E", "-e": "EscapeChar",
        "-I": "PKCS11Provider",
        "-L": "LocalForward", "-O": "-O", "-Q": "-Q", "-R": "RemoteForward", "-S": "ControlPath", "-W": "-W",
        "-w": "TunnelDevice",
    ]

    init(_ text: String) { self.init(words: SSHWords.split(text)) }

    private init(words: [String]) {
        var rest = words[...]
        while let word = rest.popFirst() {
            // Options may also follow the host, until its command begins.
            guard operands.count <= 1, word.begins(with: "-"), word.utf8.count > 1 else {
                operands.append(word)
                continue
            }
            let flag = String(word.unicodeScalars.prefix(2))
            let attached = String(word.unicodeScalars.dropFirst(2))
            if flag == "-o" {
                take(attached.isEmpty ? rest.popFirst() ?? "" : attached)
            } else if let name = SSHWords.valued[flag] {
                set(name, attached.isEmpty ? rest.popFirst() ?? "" : attached)
            } else {
                set(word, "")
            }
        }
    }

    /// `Name=value` or `Name value`.
    private mutating func take(_ option: String) {
        let name = option.trimmed.prefix(upToAnyOf: "= \t")
        let value = Substring(option.trimmed.utf8.dropFirst(name.utf8.count)).trimmed
        set(String(name), String((value.rest(after: "=") ?? value).trimmed))
    }

    private mutating func set(_ name: String, _ value: String) {
        let key = name.lowercased()
        guard options[key] == nil else { return }
        options[key] = value
        names.append(name)
    }

    /// The words as a shell has them; an open quotation mark is closed by the end.
    static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word: String.UnicodeScalarView?
        var mark: Unicode.Scalar?
        var isEscaped = false
        for scalar in text.unicodeScalars {
            if isEscaped {
                word = (word ?? .init()) + [scalar]
                isEscaped = false
            } else if scalar == "\\", mark != "'" {
                isEscaped = true
            } else if scalar == mark {
                mark = nil
            } else if mark == nil, scalar == "'" || scalar == "\"" {
                mark = scalar
                word = word ?? .init()
            } else if mark == nil, [" ", "\t", "\n"].contains(scalar) {
                if let done = word { words.append(String(done)) }
                word = nil
            } else {
                word = (word ?? .init()) + [scalar]
            }
        }
        return words + (word.map { [String($0)] } ?? [])
    }

    // MARK: The way to a host

    /// The jump hosts, and the command where it is not a jump through `ssh -W`.
    var route: (way: [SSHHop], command: String?) {
        // OpenSSH uses the one that comes first.
        let first = names.first { ["proxyjump", "proxycommand"].contains($0.lowercased()) }?.lowercased()
        guard let first, let value = options[first], !value.isEmpty, value != "none" else { return ([], nil) }
        if first == "proxyjump" { return (SSHHop.way(value), nil) }
        if let way = SSHWords.way(throughCommand: value) { return (way, nil) }
        return ([], value)
    }

    /// The hosts that `ssh -W %h:%p HOST` goes through; nil for any other command.
    private static func way(throughCommand command: String) -> [SSHHop]? {
        let words = split(command)
        guard let program = words.first, program == "ssh" || program.ends(with: "/ssh") else { return nil }
        let inner = SSHWords(words: Array(words.dropFirst()))
        guard let target = inner.options["-w"], ["%h:%p", "[%h]:%p"].contains(target), inner.operands.count == 1,
            let host = inner.operands.first, !host.holds(anyOf: "%$`{"), inner.route.command == nil,
            // These make it another host than the name says.
            !inner.names.contains(where: { ["-f", "hostname", "hostkeyalias"].contains($0.lowercased()) })
        else { return nil }
        var hop = SSHHop(host)
        hop.user = inner.options["user"] ?? hop.user
        hop.port = inner.options["port"].flatMap { Int($0) } ?? hop.port
        hop.identityFile = inner.options["identityfile"]
        return inner.route.way + [hop]
    }
}
