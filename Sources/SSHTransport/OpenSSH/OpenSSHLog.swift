import SafeText

/// What OpenSSH's client logs of itself, read by its own constant words (those of OpenSSH 9.2; what another version words
/// differently is not seen, so that an earlier phase or a more general error is reported).
struct OpenSSHLog {
    /// What `ssh` waits for until it has logged in.
    enum Phase: Equatable { case resolution, connect, banner, keyExchange, agent, authentication }

    private static let levels = ["debug1: ", "debug2: ", "debug3: "]

    /// What it says at LogLevel DEBUG1 to DEBUG3.
    private let steps: [Substring]
    /// What it says at any level, without what the server has to say to people (RFC 4252 section 5.4).
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

    // MARK: How far it came

    private static let beginnings: [(String, Phase)] = [
        ("Connecting to ", .connect), ("Executing proxy command", .connect), ("Connection established", .banner),
        ("mux_client_request_stdio_fwd: master session", .banner), ("Remote protocol version", .keyExchange),
    ]
    /// After its last request it waits for the server; before that for the key: a file, which takes no time, or an ssh-agent.
    private static let loginBeginnings: [(String, Phase)] = [
        ("SSH2_MSG_NEWKEYS received", .agent), ("Server accepts key", .agent), ("send packet: type 5", .authentication),
    ]

    /// Whether keys are agreed on. From then on the server is heard, and its words could be taken for those of `ssh`.
    var isLoggingIn: Bool {
        steps.contains { step in
            step.begins(with: "receive packet: type 5")
                || OpenSSHLog.loginBeginnings.contains { step.begins(with: $0.0) }
        }
    }

    /// Nil when it has not said.
    var phase: Phase? {
        let known = isLoggingIn ? OpenSSHLog.loginBeginnings : OpenSSHLog.beginnings
        return steps.lazy.reversed().compactMap { step in known.first { step.begins(with: $0.0) }?.1 }.first
    }

    /// How often the key was asked for.
    var keyCount: Int { steps.count { $0.begins(with: "Server accepts key") } }

    /// The type and the fingerprint of the key that the host has proved to own.
    var hostKey: (type: Substring, fingerprint: Substring)? {
        let line = steps.last { $0.begins(with: "Server host key: ") }
        guard let words = line?.fields(separatedBy: " "), words.count >= 5 else { return nil }
        return (words[3], words[4])
    }

    // MARK: Why it failed

    /// In the order in which they are looked for: several may stand in one log.
    private static let phrases: [(String, SSHError.Code)] = [
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", .hostKeyChanged), ("Host key verification failed", .hostKeyUnknown),
        ("Unable to negotiate", .noCommonAlgorithm), ("Stdio forwarding request failed", .unreachable),
        ("stdio forwarding failed", .unreachable), ("session request failed", .execRefused),
        ("Session open refused", .execRefused), ("during banner exchange", .bannerTimedOut),
        ("Connection refused", .connectionRefused), ("Connection timed out", .connectTimedOut),
        ("Could not resolve hostname", .unreachable), ("No route to host", .unreachable),
        ("Network is unreachable", .unreachable), ("kex_exchange_identification", .handshakeFailed),
    ]
    /// The second is the end of every login that failed, whose last key may have been good.
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

    /// Nil for words that are not known.
    var code: SSHError.Code? { known?.code }

    /// The line that says why, printable; nil when it said nothing.
    var complaint: String? {
        guard let line = known?.line ?? complaints.last, !line.isEmpty else { return nil }
        return "ssh says \"\(printable(line.utf8))\""
    }
}
