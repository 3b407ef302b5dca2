/// Every limit of this target; each name ends with its unit.
package enum SignatureLimits {
    /// Largest armoured signature that is read. Those of an RSA key of 8,192 bits have 3,200 bytes.
    package static let armourBytes = 16 * 1024
    /// Longest line of an armour: PROTOCOL.sshsig breaks lines at 76 characters, and ssh-keygen at 70.
    package static let armourLineCharacters = 76
    /// Where a line of an armour that is written here ends, as ssh-keygen's.
    package static let writtenLineCharacters = 70
    /// Largest signature behind the armour.
    package static let blobBytes = 12 * 1024
    /// Longest name in a signature or key: a namespace, an application, an algorithm.
    package static let nameBytes = 255
    /// Longest line with a public key, its comment included; as in OpenSSH's own files.
    package static let keyLineBytes = 8 * 1024
    /// The longest RSA key that swift-crypto verifies with.
    package static let rsaBits = 8192
    /// The shortest RSA key that swift-crypto verifies with.
    package static let shortestRSABits = 2048
    /// Largest file of allowed signers that is read.
    package static let allowedSignersBytes = 1024 * 1024
    /// Most keys in a file of allowed signers.
    package static let allowedSignersCount = 4096
    /// Most signatures whose verification is remembered.
    static let verifiedCount = 1024
    /// Part of a foreign word that is shown in an error.
    static let quotedBytes = 80
}
