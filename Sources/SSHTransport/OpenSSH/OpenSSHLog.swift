import FoundationEssentials

/// What OpenSSH's client logs of itself, read by its own constant words (those of OpenSSH 9.2; what another version words
/// differently is not seen, so that an earlier phase or a more general error is told).
struct OpenSSHLog {
    /// What `ssh` waits for until it has logged in.
    enum Phase: Equatable { case resolution, connect, banner, keyExchange, agent, authentication }

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
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("debug3: receive packet") { isBanner = false }
            if isBanner { continue }
            if line.starts(with: #/debug[123]: /#) {
                let step = line.dropFirst("debug1: ".count)
                steps.append(step)
                isBanner = step.hasPrefix("input_userauth_banner")
            } else {
                complaints.append(line)
            }
        }
        self.steps = steps
        self.complaints = complaints
    }

    // MARK: How far it came

    /// After its last request it waits for the server; before that, while it logs in, for the key: a file, which takes no time,
    /// or an ssh-agent.
    private static let beginnings: [(String, Phase)] = [
        ("Connecting to ", .connect), ("Executing proxy command", .connect), ("Connection established", .banner),
        ("mux_client_request_stdio_fwd: master session", .banner), ("Remote protocol version", .keyExchange),
        ("SSH2_MSG_NEWKEYS received", .agent), ("Server accepts key", .agent), ("send packet: type 5", .authentication),
    ]

    /// Nil when it has not said.
    var phase: Phase? {
        for step in steps.reversed() {
            if let known = OpenSSHLog.beginnings.first(where: { step.hasPrefix($0.0) }) { return known.1 }
        }
        return nil
    }

    /// The type and the fingerprint of the key that the host has proved to own.
    var hostKey: (type: Substring, fingerprint: Substring)? {
        guard let words = steps.last(where: { $0.hasPrefix("Server host key: ") })?.split(separator: " "),
            words.count >= 5
        else { return nil }
        return (words[3], words[4])
    }

    // MARK: Why it failed

    /// In the order in which they are looked for: several may stand in one log.
    private static let phrases: [(String, SSHError.Code)] = [
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", .hostKeyChanged), ("Host key verification failed", .hostKeyUnknown),
        ("Permission denied", .authenticationRefused), ("Too many authentication failures", .authenticationRefused),
        ("Unable to negotiate", .noCommonAlgorithm), ("Stdio forwarding request failed", .unreachable),
        ("stdio forwarding failed", .unreachable), ("session request failed", .execRefused),
        ("Session open refused", .execRefused), ("during banner exchange", .bannerTimedOut),
        ("Connection refused", .connectionRefused), ("Connection timed out", .connectTimedOut),
        ("Could not resolve hostname", .unreachable), ("No route to host", .unreachable),
        ("Network is unreachable", .unreachable), ("kex_exchange_identification", .handshakeFailed),
    ]

    private var known: (line: Substring, code: SSHError.Code)? {
        for (phrase, code) in OpenSSHLog.phrases {
            if let line = complaints.first(where: { $0.contains(phrase) }) { return (line, code) }
        }
        return nil
    }

    /// Nil for words that are not known.
    var code: SSHError.Code? { known?.code }

    /// The line that says why, printable; nil when it said nothing.
    var complaint: String? {
        (known?.line ?? complaints.last).map { "ssh says \"\(printable($0.utf8))\"" }
    }
}
