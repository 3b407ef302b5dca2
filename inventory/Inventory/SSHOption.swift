/// An option of ssh_config that Lockflight does not follow, by its name in ssh_config(5).
///
/// Options that do not matter to a session without a terminal, or that Lockflight controls itself (keepalives,
/// deadlines, forwarding), are not listed.
struct SSHOption {
    enum Effect {
        /// Without it libssh2 can not reach the host or log in.
        case needed(why: String)
        /// libssh2 connects without it, and the operator is informed.
        case missed
        /// Lockflight replaces it with either transport, and the operator is informed.
        case replaced
    }

    var name: String
    var effect: Effect

    static let all: [SSHOption] = [
        SSHOption(name: "ProxyCommand", effect: .needed(why: "libssh2 can not run a proxy command")),
        SSHOption(name: "CertificateFile", effect: .needed(why: "libssh2 does not support certificates")),
        SSHOption(name: "PKCS11Provider", effect: .needed(why: "libssh2 does not support keys on a device")),
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
