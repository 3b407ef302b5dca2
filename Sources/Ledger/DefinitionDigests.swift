import ContentDigest
import UpgradeDomain

/// The digests of a run's definition, computed from the bytes of its first event. This build might encode the
/// definition with a key more or less than what was approved.
struct DefinitionDigests {
    let definition: Digest
    let plan: Digest
    let hosts: Digest

    /// - Parameter payload: the payload of the event; nil if it does not define a run.
    init?(payload: [UInt8]) {
        let path = ["runStarted", "_0"]
        guard let definition = CanonicalJSON.bytes(of: path, in: payload),
            let plan = CanonicalJSON.bytes(of: path + ["plan"], in: payload),
            let hosts = CanonicalJSON.bytes(of: path + ["hosts"], in: payload)
        else { return nil }
        self.definition = Digest.sha256(of: definition)
        self.plan = Digest.sha256(of: plan)
        self.hosts = Digest.sha256(of: hosts)
    }
}
