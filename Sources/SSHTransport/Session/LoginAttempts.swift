/// The keys that a login tries, one after the other, and the result of each.
///
/// A server counts every key that it refuses. It disconnects after MaxAuthTries (6 by default), and since OpenSSH 9.8
/// it penalizes the source address of failed logins for a while (PerSourcePenalties). So at most three keys are tried,
/// in one connection.
struct LoginAttempts {
    /// A key that did not work.
    struct Failure {
        let identity: SSHIdentity
        /// Why its ssh-agent did not sign; nil if the server refused the key.
        let fault: KeyAgentFault?
    }

    private(set) var failures: [Failure] = []
    private var waiting: ArraySlice<SSHIdentity>
    /// How many further keys are not tried.
    private let leftOutCount: Int

    init(_ identities: [SSHIdentity]) {
        var known: Set<[UInt8]> = []
        let keys = identities.filter { known.insert($0.publicKeyBlob).inserted }
        waiting = keys.prefix(TransportLimits.identityCount)
        leftOutCount = keys.count - waiting.count
    }

    /// The key to try now; nil if none is left.
    var current: SSHIdentity? { waiting.first }

    /// Moves on to the next key.
    mutating func failed(_ fault: KeyAgentFault?) {
        guard let identity = waiting.popFirst() else { return }
        failures.append(Failure(identity: identity, fault: fault))
    }

    /// The error code of the whole login.
    var code: SSHError.Code {
        failures.allSatisfy { $0.fault != nil } ? .agentFailed : .authenticationRefused
    }

    /// Every key that was tried, as `ssh-keygen -l` names it, with why it failed; and how many were not tried.
    var sentence: String {
        let tried = failures.map { failure in
            let key = failure.identity
            let reason = failure.fault.map { "its ssh-agent did not sign, \($0.words)" } ?? "refused"
            return "\(key.path) (\(key.type) \(key.fingerprint)): \(reason)"
        }
        let leftOut = leftOutCount == 0 ? [] : ["not tried, because a server counts refusals: \(leftOutCount) more"]
        return (tried + leftOut).joined(separator: "; ")
    }
}
