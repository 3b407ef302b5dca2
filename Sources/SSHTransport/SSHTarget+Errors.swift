import SafeText

extension SSHTarget {
    private var words: String {
        "\(host) (\(user)@\(address.bracketed):\(port)\(jumps.isEmpty ? "" : " through \(jumpNames)"))"
    }
    private var jumpNames: String { jumps.map(\.host).joined(separator: ", ") }
    private var tryByHand: String { "ssh -v \(jumpOption)-p \(port) -- \(ShellText.word("\(user)@\(address)")) true" }
    private var jumpOption: String {
        let way = jumps.map { "\($0.user)@\($0.address.bracketed):\($0.port)" }.joined(separator: ",")
        return way.isEmpty ? "" : "-J \(ShellText.word(way)) "
    }
    /// Must be run on the machine itself: a man in the middle would answer a scan just as it answered this connection.
    private var readKeys: String { "on its own console, ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" }

    private var keyPath: String { identities.first?.path ?? "KEY" }
    /// Without a file argument it uses the agent's keys.
    private var copyKey: String {
        "ssh-copy-id \(identities.first?.hasFile == false ? "" : "-i \(ShellText.word(keyPath)) ")-p \(port) \(ShellText.word("\(user)@\(address)"))"
    }

    /// The complete error for a code that occurred with this host.
    ///
    /// `detail` is already printable and goes into the sentence. `cause` is the lower layer's own text, for a log.
    func error(_ code: SSHError.Code, detail: String? = nil, cause: String? = nil) -> SSHError {
        SSHError(code: code, host: host, message: message(code, detail.map { ": \($0)" } ?? ""), cause: cause)
    }

    /// The error for this host when one of the jump hosts before it failed.
    func error(behind jump: SSHError, jumps: [String]? = nil) -> SSHError {
        SSHError(
            code: jump.code, host: host, failedHost: jump.failedHost,
            message:
                "\(host) is behind \(jumps?.joined(separator: ", ") ?? jumpNames) and was not connected to: \(jump.message)",
            cause: jump.cause)
    }

    /// Whether a key of this type is pinned, so that a different key of the type counts as a change.
    func pins(type: some StringProtocol) -> Bool { hostKeys.contains { $0.type == type } }

    /// The key that the host presented, next to the pinned keys.
    func mismatch(type: some StringProtocol, fingerprint: some StringProtocol) -> String {
        let pinned = hostKeys.map { "\($0.type) \($0.fingerprint)" }.joined(separator: ", ")
        return "it shows \(type) \(fingerprint), pinned is \(pinned)"
    }

    private func message(_ code: SSHError.Code, _ detail: String) -> String {
        switch code {
        case .unreachable, .resolutionTimedOut, .connectTimedOut, .connectionRefused, .bannerTimedOut,
            .handshakeTimedOut, .handshakeFailed, .handshakeGivenUp, .noCommonAlgorithm, .hostKeyUnknown,
            .hostKeyChanged:
            messageBeforeTrust(code, detail)
        case .authenticationTimedOut:
            "\(words) did not answer the login within \(deadlines.authentication)\(detail); no command ran there. "
                + "Look at its sshd log and try: \(tryByHand)"
        case .authenticationRefused:
            "\(words) accepted no key for user \(user)\(detail); no command ran there. Add one of them to its "
                + "authorized_keys with: \(copyKey)"
        case .agentFailed:
            "no key could be used to log into \(words)\(detail); no command ran there. See what the agent holds with: "
                + "ssh-add -l"
        case .keyUnreadable, .keyExposed, .keyEncrypted, .keyNotHeld, .keyTypeUnsupported:
            "no key can be used for \(words)\(detail); no connection was made. Check it with: ssh-keygen -l -f \(ShellText.word(keyPath))"
        case .execRefused:
            "\(words) refused to start a command\(detail); it did not run. Look at MaxSessions, ForceCommand and the "
                + "account's shell there, and try: \(tryByHand)"
        case .execTimedOut:
            "\(words) did not confirm within \(deadlines.exec) that a command started\(detail); whether it runs is "
                + "unknown. Ask the host before repeating it: \(tryByHand)"
        case .connectionLost:
            "the connection to \(words) was lost\(detail); a command that was running there may "
                + "continue, and its outcome is unknown until the host is asked again. Try: \(tryByHand)"
        case .progressTimedOut:
            "\(words) sent nothing more\(detail); the command there may still run, and its outcome is unknown "
                + "until the host is asked again. Try: \(tryByHand)"
        case .uploadFailed:
            "the upload to \(words) failed\(detail); the file there is incomplete. Check the disk there with: "
                + "ssh -p \(port) \(user)@\(address) df -h"
        case .uploadTimedOut:
            "\(words) stopped accepting the upload\(detail); the file there is incomplete, and nothing uses it. "
                + "Check the disk and the load there with: ssh -p \(port) \(user)@\(address) 'df -h; uptime'"
        case .closed:
            "the connection to \(words) was already closed on this side\(detail); nothing more was sent to it. "
                + "Connect again"
        case .cancelled:
            "work with \(words) was cancelled on this side\(detail); a command that was already sent may still run. "
                + "Ask the host before repeating it"
        case .limitExceeded:
            "a limit was reached while talking to \(words)\(detail); the request was not sent. Wait for earlier "
                + "requests to end, then repeat it"
        }
    }

    private func messageBeforeTrust(_ code: SSHError.Code, _ detail: String) -> String {
        switch code {
        case .unreachable:
            return "\(words) cannot be reached\(detail); nothing was sent to it. Check its address and network, then "
                + "try: \(tryByHand)"
        case .resolutionTimedOut:
            return "the name of \(words) was not resolved within \(deadlines.resolution)\(detail); nothing was sent to "
                + "it. Check the name servers of this machine with: getent ahosts \(address)"
        case .connectTimedOut:
            return "\(words) did not answer within \(deadlines.connect)\(detail); nothing was sent to it. Check that "
                + "it is up and that no firewall drops the port, then try: \(tryByHand)"
        case .connectionRefused:
            return "\(words) refuses connections on port \(port)\(detail); nothing was sent to it. Check that sshd "
                + "runs there and listens on that port, then try: \(tryByHand)"
        case .bannerTimedOut:
            return "\(words) accepted the connection but sent no SSH banner within \(deadlines.handshake)\(detail); no "
                + "login was attempted. Check that sshd listens on that port and is not overloaded, then try: "
                + tryByHand
        case .handshakeTimedOut:
            return "\(words) did not finish the key exchange within \(deadlines.handshake)\(detail); no login was "
                + "attempted. Check the load and the network there, then try: \(tryByHand)"
        case .handshakeFailed:
            return
                "the key exchange with \(words) failed\(detail); no login was attempted. It may not be an SSH server, "
                + "or sshd may limit new connections (MaxStartups, PerSourcePenalties). Try: " + tryByHand
        case .handshakeGivenUp:
            return
                "this tool's libssh2 gave up the key exchange with \(words)\(detail); no login was attempted. It may "
                + "not be an SSH server. Try: " + tryByHand
        case .noCommonAlgorithm:
            return "\(words) and this tool's libssh2 share no algorithm\(detail); no login was attempted. Then try: "
                + tryByHand
        case .hostKeyUnknown where hostKeys.isEmpty:
            return
                "no host key is pinned for \(words)\(detail); no connection was made. Compare its key with the host's own "
                + "before trusting it: \(readKeys)"
        case .hostKeyUnknown:
            return "\(words) shows a host key that is not pinned\(detail); no login was attempted. Compare it with "
                + "the host's own key before trusting it: \(readKeys)"
        case .hostKeyChanged:
            return "\(words) shows a host key other than the pinned one\(detail); no login was attempted, because "
                + "this may be another machine. If the host was rebuilt, compare and pin its new key: \(readKeys)"
        case .authenticationTimedOut, .authenticationRefused, .agentFailed, .keyUnreadable, .keyExposed, .keyEncrypted,
            .keyNotHeld,
            .keyTypeUnsupported, .execRefused, .execTimedOut, .connectionLost, .progressTimedOut, .uploadFailed,
            .uploadTimedOut, .closed, .cancelled, .limitExceeded:
            return message(code, detail)
        }
    }
}
