/// What a signature must satisfy besides being right.
package struct SignatureRules: Hashable, Sendable {
    /// The shortest RSA key that may sign; nil refuses RSA. Keys below ``SignatureLimits/shortestRSABits`` are refused
    /// whatever this says.
    package var minimumRSABits: Int?
    /// Whether somebody must have touched the security key for this signature.
    ///
    /// A rule for security keys only: it does not refuse keys in files. A caller that accepts only security keys checks
    /// ``SSHPublicKey/kind``. OpenSSH's `ssh-keygen -Y verify` does not require a touch.
    package var requiresTouch: Bool
    /// Whether the security key must have verified its user, by PIN or fingerprint, for this signature.
    package var requiresVerification: Bool

    package init(minimumRSABits: Int? = 3072, requiresTouch: Bool = true, requiresVerification: Bool = false) {
        self.minimumRSABits = minimumRSABits
        self.requiresTouch = requiresTouch
        self.requiresVerification = requiresVerification
    }
}
