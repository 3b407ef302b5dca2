import SafeText

/// What went wrong between this machine and one host, in words that an operator can act on.
///
/// The message says what failed and where, what that means, and the next command to run. Bytes from a host are escaped
/// before they are put into it.
package struct SSHError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The closed list of things that can go wrong. Callers decide by the code, never by the message.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        // Before the server identifies itself.
        case unreachable, resolutionTimedOut, connectTimedOut, connectionRefused, bannerTimedOut
        // During the key exchange.
        case handshakeTimedOut, handshakeFailed, noCommonAlgorithm, hostKeyUnknown, hostKeyChanged
        /// libssh2 gave up where another client may not: for example, at a line before the server's identification (RFC
        /// 4253, 4.2), or at one longer than 255 bytes.
        case handshakeGivenUp
        // During the login.
        case authenticationTimedOut, authenticationRefused, agentFailed
        // Local keys: files, and what an ssh-agent holds.
        case keyUnreadable, keyExposed, keyEncrypted, keyNotHeld, keyTypeUnsupported
        // While starting or talking to a command. After `execTimedOut`, `connectionLost` and `progressTimedOut` it is
        // unknown whether the command ran.
        case execRefused, execTimedOut, connectionLost, progressTimedOut
        // While a file is uploaded: the host could not store it, or stopped accepting it.
        case uploadFailed, uploadTimedOut
        // Local: the caller closed it, its task was cancelled, or a named limit was reached.
        case closed, cancelled, limitExceeded
    }

    package let code: Code
    /// The host's label in the inventory; a path for errors about key files and ssh-agents.
    package let host: String
    /// Where it failed: the host itself, or a jump host before it.
    package let failedHost: String
    /// What failed and where, what that means, and the next command.
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

/// Bytes from a host made safe for a terminal and a log: printable ASCII, limited in length.
func printable(_ bytes: some Sequence<UInt8>, limitBytes: Int = TransportLimits.quotedBytes) -> String {
    var text = ""
    for byte in bytes.prefix(limitBytes) {
        let isPrintable = byte >= 0x20 && byte < 0x7f
        text.unicodeScalars.append(isPrintable ? Unicode.Scalar(byte) : "?")
    }
    return text
}
