/// What OpenSSH's client says on standard error when it fails, sorted by its own constant phrases.
struct OpenSSHComplaint {
    let text: String

    /// - Parameter bytes: the end of its standard error.
    init(_ bytes: [UInt8]) {
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// In the order in which they are looked for: several may stand in one text.
    private static let phrases: [(String, SSHError.Code)] = [
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", .hostKeyChanged), ("Host key verification failed", .hostKeyUnknown),
        ("Permission denied", .authenticationRefused), ("Too many authentication failures", .authenticationRefused),
        ("Unable to negotiate", .noCommonAlgorithm), ("session request failed", .execRefused),
        ("Session open refused", .execRefused), ("during banner exchange", .bannerTimedOut),
        ("Connection refused", .connectionRefused), ("Connection timed out", .connectTimedOut),
        ("Could not resolve hostname", .unreachable), ("No route to host", .unreachable),
        ("Network is unreachable", .unreachable), ("stdio forwarding failed", .unreachable),
        ("kex_exchange_identification", .handshakeFailed),
    ]

    /// - Parameter otherwise: for words that are not known.
    func code(otherwise: SSHError.Code) -> SSHError.Code {
        OpenSSHComplaint.phrases.first { text.contains($0.0) }?.1 ?? otherwise
    }

    /// Its last line, printable; nil when it said nothing.
    var words: String? {
        guard let line = text.split(whereSeparator: \.isNewline).last else { return nil }
        let fingerprint = text.firstMatch(of: /SHA256:[A-Za-z0-9+\/]{43}/).map { "; it shows \($0.output)" } ?? ""
        return "ssh says \"\(printable(line.utf8))\"" + fingerprint
    }
}
