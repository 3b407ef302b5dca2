import SafeText

/// The log of OpenSSH's client, recognized by its constant texts (those of OpenSSH 9.2). If another version words
/// something differently it is not recognized, and an earlier phase or a more general error is reported.
struct OpenSSHLog {
    /// The step that `ssh` waits for until it has logged in.
    enum Phase: Equatable { case resolution, connect, banner, keyExchange, agent, authentication }

    private static let levels = ["debug1: ", "debug2: ", "debug3: "]

    /// Its messages at LogLevel DEBUG1 to DEBUG3.
    private let steps: [Substring]
    /// Its messages at any level, without the server's banner text for people (RFC 4252 section 5.4).
    private let complaints: [Substring]

    /// - Parameter bytes: its standard error, or the end of it.
    init(_ bytes: some Sequence<UInt8>) {
        var steps: [Substring] = []
        var complaints: [Substring] = []
        var isBanner = false
        let text = String(decoding: Array(bytes), as: UTF8.self)
        for line in text.fields(separatedBy: "\r\n") {
            if line.begins(with: "debug3: receive packet") { isBanner = false }
            if isBanner { continue }
            if let step = OpenSSHLog.levels.lazy.compactMap({ line.rest(after: $0) }).first {
                steps.append(step)
                isBanner = step.begins(with: "input_userauth_banner")
            } else {
                complaints.append(line)
            }
        }
        self.steps = steps
        self.complaints = complaints
    }

    // MARK: Progress

    private static let beginnings: [(String, Phase)] = [
        ("Connecting to ", .connect), ("Executing proxy command", .connect), ("Connection established", .banner),
        ("mux_client_request_stdio_fwd: master session", .banner), ("Remote protocol version", .keyExchange),
    ]
    /// After its last request it waits for the server. Before that it waits for the key: a file, which takes no time,
    /// or an ssh-agent.
    private static let loginBeginnings: [(String, Phase)] = [
        ("SSH2_MSG_NEWKEYS received", .agent), ("Server accepts key", .agent), ("send packet: type 5", .authentication),
    ]

    /// Whether the key exchange is complete. From then on the server can send text, which could be mistaken for
    /// messages of `ssh`.
    var isLoggingIn: Bool {
        steps.contains { step in
            step.begins(with: "receive packet: type 5")
                || OpenSSHLog.loginBeginnings.contains { step.begins(with: $0.0) }
        }
    }

    /// Nil if it has not logged one.
    var phase: Phase? {
        let known = isLoggingIn ? OpenSSHLog.loginBeginnings : OpenSSHLog.beginnings
        return steps.lazy.reversed().compactMap { step in known.first { step.begins(with: $0.0) }?.1 }.first
    }

    /// How often the key was requested.
    var keyCount: Int { steps.count { $0.begins(with: "Server accepts key") } }

    /// The type and the fingerprint of the key that the host proved it owns.
    var hostKey: (type: Substring, fingerprint: Substring)? {
        let line = steps.last { $0.begins(with: "Server host key: ") }
        guard let words = line?.fields(separatedBy: " "), words.count >= 5 else { return nil }
        return (words[3], words[4])
    }

    // MARK: Why it failed

    /// In search order, because one log may contain several.
    private static let phrases: [(String, SSHError.Code)] = [
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", .hostKeyChanged), ("Host key verification failed", .hostKeyUnknown),
        ("Unable to negotiate", .noCommonAlgorithm), ("Stdio forwarding request failed", .unreachable),
        ("stdio forwarding failed", .unreachable), ("session request failed", .execRefused),
        ("Session open refused", .execRefused), ("during banner exchange", .bannerTimedOut),
        ("Connection refused", .connectionRefused), ("Connection timed out", .connectTimedOut),
        ("Could not resolve hostname", .unreachable), ("No route to host", .unreachable),
        ("Network is unreachable", .unreachable), ("kex_exchange_identification", .handshakeFailed),
    ]
    /// The second is the end of every failed login, also if its last key was a good one.
    private static let loginPhrases: [(String, SSHError.Code)] = [
        ("Too many authentication failures", .authenticationRefused), ("Permission denied", .authenticationRefused),
    ]

    private var known: (line: Substring, code: SSHError.Code)? {
        if isLoggingIn, phase == .agent, let line = complaints.last(where: { $0.holds("signing failed") }) {
            return (line, .agentFailed)
        }
        for (phrase, code) in isLoggingIn ? OpenSSHLog.loginPhrases : OpenSSHLog.phrases {
            if let line = complaints.last(where: { $0.holds(phrase) }) { return (line, code) }
        }
        return isLoggingIn ? (complaints.last ?? "", .connectionLost) : nil
    }

    /// Nil for unknown texts.
    var code: SSHError.Code? { known?.code }

    /// The line that gives the reason, printable; nil if there is none.
    var complaint: String? {
        guard let line = known?.line ?? complaints.last, !line.isEmpty else { return nil }
        return "ssh says \"\(printable(line.utf8))\""
    }
}
