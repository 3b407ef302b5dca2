/// Every limit of the transport; each name ends with its unit.
enum TransportLimits {
    /// Receive window of one exec channel; libssh2's default of 2 MiB is more than a control channel needs.
    static let windowBytes = 256 * 1024
    /// Largest packet that the server may send, RFC 4254 section 5.1.
    static let packetBytes = 32 * 1024
    /// Output waiting for a reader. At this limit nothing more is read from libssh2, so the window closes.
    static let waitingOutputBytes = 256 * 1024
    /// Bytes read from libssh2 in one call.
    static let readBytes = 32 * 1024
    /// The end of a command's standard error that is kept.
    static let errorTailBytes = 8 * 1024
    /// Bytes passed to libssh2 in one call: its own limit for one packet (channel.c, `_libssh2_channel_write`).
    static let writeBytes = 32_700
    /// Input of one command that was written but that the network has not accepted yet.
    static let waitingInputBytes = 64 * 1024 * 1024
    /// Encrypted bytes waiting for the kernel; above this no new packet is made.
    static let unsentBytes = 512 * 1024
    /// Encrypted bytes waiting for libssh2; above this the socket is not read.
    static let unreadBytes = 1024 * 1024
    /// Commands at a time on one connection: sshd's default MaxSessions.
    static let execCount = 10
    /// Tunnels at a time on one connection to a jump host: each uses a descriptor there, usually of 1,024.
    static let tunnelCount = 500
    /// Connections to one jump host.
    static let jumpConnectionCount = 8
    /// How long an opening tunnel may block the next one before that one gets a connection of its own.
    static let tunnelPatience = Duration.seconds(1)
    /// How long a jump host that could not be reached is not retried for other hosts behind it.
    static let jumpFailurePause = Duration.seconds(2)
    /// The server's first bytes, kept to explain a failed key exchange.
    static let greetingBytes = 8 * 1024
    /// Bytes of a host's own text quoted in an error.
    static let quotedBytes = 200
    /// Largest private key file that is read.
    static let keyFileBytes = 64 * 1024
    /// Keys that one connection tries: half of sshd's default MaxAuthTries.
    static let identityCount = 3
    /// Largest reply of an ssh-agent, as in OpenSSH's own client (authfd.c).
    static let agentReplyBytes = 256 * 1024
    /// Requests waiting for an ssh-agent on one event loop.
    static let agentRequestCount = 1024
    /// Piece of an upload that is passed on at once.
    static let uploadPieceBytes = 1024 * 1024
    /// Piece of input that a child process is given at once: the capacity of a pipe (pipe(7)).
    static let pipeBytes = 64 * 1024
    /// How often freeing a session is tried. With the input closed, libssh2 never needs to wait.
    static let freeAttemptCount = 64
}
