/// An option of ssh_config that Lockflight does not follow, by its name in ssh_config(5).
///
/// What does not matter to a session without a terminal, or is Lockflight's own affair (keepalives, deadlines, forwarding), is
/// none of them.
struct SSHOption {
    enum Effect {
        /// Without it libssh2 does not get to the host, or not in.
        case needed(why: String)
        /// libssh2 goes on without it, and the person reads so.
        case missed
        /// Lockflight insists on something else with either transport, and the person reads so.
        case replaced
    }

    var name: String
    var effect: Effect

    static let all: [SSHOption] = [
        SSHOption(name: "ProxyCommand", effect: .needed(why: "libssh2 runs no command to get there")),
        SSHOption(name: "CertificateFile", effect: .needed(why: "libssh2 logs in with no certificate")),
        SSHOption(name: "PKCS11Provider", effect: .needed(why: "libssh2 uses no key that a device holds")),
        SSHOption(name: "SecurityKeyProvider", effect: .missed),
        SSHOption(name: "IdentityAgent", effect: .missed),
        SSHOption(name: "PubkeyAuthentication", effect: .missed),
        SSHOption(name: "AddressFamily", effect: .missed),
        SSHOption(name: "BindAddress", effect: .missed),
        SSHOption(name: "BindInterface", effect: .missed),
        SSHOption(name: "Ciphers", effect: .missed),
        SSHOption(name: "MACs", effect: .missed),
        SSHOption(name: "KexAlgorithms", effect: .missed),
        SSHOption(name: "HostKeyAlgorithms", effect: .missed),
        SSHOption(name: "PubkeyAcceptedAlgorithms", effect: .missed),
        SSHOption(name: "PreferredAuthentications", effect: .missed),
        SSHOption(name: "RequiredRSASize", effect: .missed),
        SSHOption(name: "RevokedHostKeys", effect: .missed),
        SSHOption(name: "SetEnv", effect: .missed),
        // Only pinned keys count.
        SSHOption(name: "KnownHostsCommand", effect: .replaced),
        SSHOption(name: "UserKnownHostsFile", effect: .replaced),
        SSHOption(name: "GlobalKnownHostsFile", effect: .replaced),
        // The agent is what runs.
        SSHOption(name: "RemoteCommand", effect: .replaced),
    ]
}
