/// A connection to a TCP port from the host itself, for services without HTTP such as databases and caches.
///
/// It answers with code 0 if the port accepts and begins with ``banner``, and with 1 if it begins with something else. The
/// body is the first line that the service sends, if a banner is asked for. With ``tls`` the body is what TLS says, as JSON.
package struct TCPSource: Codable, Hashable, Sendable {
    /// An address, not a name: the agent has no resolver. May hold placeholders.
    package var address: String
    package var port: Int
    /// How what the service sends first must begin, such as `SSH-2.0-`; nil if the service does not speak first.
    package var banner: String?
    /// For the connection and the banner together.
    package var timeoutSeconds: Int
    /// Nil for a connection without TLS.
    package var tls: ServiceTLS?

    package init(
        address: String = "127.0.0.1", port: Int, banner: String? = nil, timeoutSeconds: Int, tls: ServiceTLS? = nil
    ) {
        self.address = address
        self.port = port
        self.banner = banner
        self.timeoutSeconds = timeoutSeconds
        self.tls = tls
    }

    /// Every text that may hold placeholders.
    package var texts: [String] {
        [address, banner, tls?.serverName, tls?.caFile, tls?.certificateFile, tls?.keyFile].compactMap(\.self)
    }

    /// The source with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> TCPSource {
        var source = self
        source.address = replace(address)
        source.banner = banner.map(replace)
        source.tls?.serverName = replace(tls?.serverName ?? "")
        source.tls?.caFile = tls?.caFile.map(replace)
        source.tls?.certificateFile = tls?.certificateFile.map(replace)
        source.tls?.keyFile = tls?.keyFile.map(replace)
        return source
    }
}

/// TLS with a service on a TCP port. The connection is verified; that cannot be turned off.
package struct ServiceTLS: Codable, Hashable, Sendable {
    /// The name, or the address, that the certificate must be for.
    package var serverName: String
    /// What is spoken before TLS begins; nil for TLS from the first byte.
    package var startTLS: StartTLS?
    /// Whom to trust, as a file on the host; nil for the host's own trust store.
    package var caFile: String?
    /// What the host presents, as files on it.
    package var certificateFile: String?
    package var keyFile: String?

    package init(
        serverName: String, startTLS: StartTLS? = nil, caFile: String? = nil, certificateFile: String? = nil,
        keyFile: String? = nil
    ) {
        self.serverName = serverName
        self.startTLS = startTLS
        self.caFile = caFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}

/// The protocols in which TLS can begin later, as `openssl s_client -starttls` spells them.
package enum StartTLS: String, Codable, Hashable, Sendable, CaseIterable {
    case ftp, imap, ldap, lmtp, mysql, nntp, pop3, postgres, sieve, smtp, xmpp
}
