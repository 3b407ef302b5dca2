import SafeText

/// What went wrong between this machine and one host, in words an operator can act on.
///
/// The message says what failed and where, what follows from it, and the next command to run. Bytes that came
/// from a host are escaped before they enter it.
package struct SSHError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The closed list of things that can go wrong; callers decide by it, never by the message.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        // Before the server says who it is.
        case unreachable, resolutionTimedOut, connectTimedOut, connectionRefused, bannerTimedOut
        // While agreeing on keys.
        case handshakeTimedOut, handshakeFailed, noCommonAlgorithm, hostKeyUnknown, hostKeyChanged
        /// libssh2 gave up where another client may not, such as at a line before the server's identification (RFC 4253, 4.2), or one
        /// that is longer than 255 bytes.
        case handshakeGivenUp
        // While proving who we are.
        case authenticationTimedOut, authenticationRefused, agentFailed
        // Local keys: files, and what an ssh-agent holds.
        case keyUnreadable, keyExposed, keyEncrypted, keyNotHeld, keyTypeUnsupported
        // While starting or talking to a command. After `execTimedOut`, `connectionLost` and `progressTimedOut`
        // it is unknown whether the command ran.
        case execRefused, execTimedOut, connectionLost, progressTimedOut
        // While a file is brought there: the host could not store it, or took no more of it.
        case uploadFailed, uploadTimedOut
        // Ours: the caller closed it, its task was cancelled, or a named limit was reached.
        case closed, cancelled, limitExceeded
    }

    package let code: Code
    /// The host's label in the inventory; a path for errors of key files and ssh-agents.
    package let host: String
    /// Where it failed: the host itself, or a jump host before it.
    package let failedHost: String
    /// What failed and where, the consequence, and the next command.
    package let message: String
    /// The lower layer's own words (libssh2, the operating system, the server), for a log.
    package let cause: String?

    package init(code: Code, host: String, failedHost: String? = nil, message: String, cause: String? = nil) {
        self.code = code
        self.host = host
        self.failedHost = failedHost ?? host
        self.message = message
        self.cause = cause
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}

/// Bytes from a host made safe for a terminal and a log: printable ASCII, bounded.
func printable(_ bytes: some Sequence<UInt8>, limitBytes: Int = TransportLimits.quotedBytes) -> String {
    var text = ""
    for byte in bytes.prefix(limitBytes) {
        let isPrintable = byte >= 0x20 && byte < 0x7f
        text.unicodeScalars.append(isPrintable ? Unicode.Scalar(byte) : "?")
    }
    return text
}
