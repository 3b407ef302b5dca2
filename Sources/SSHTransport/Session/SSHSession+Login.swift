import CLibSSH2

/// The login, after the host has proved its key.
extension SSHSession {
    func advanceLogin(_ session: LibSSH2Session) {
        guard let identity = attempts.current else { return }
        switch session.authenticate(user: target.user, publicBlob: identity.publicKeyBlob, key: identity.ownKey) {
        case .again: askAgent(session, identity)
        case .done: perform(lifecycle.authenticated())
        case .failed(let failure): authenticationFailed(failure, session)
        }
    }

    /// Lets the agent sign what libssh2 needs signed. Meanwhile libssh2 gets "again", and the loop does other work.
    private func askAgent(_ session: LibSSH2Session, _ identity: SSHIdentity) {
        guard case .agent(let agent) = identity.signer, let message = session.messageToSign() else { return }
        let request = KeyAgentRequest.signature(key: identity.publicKeyBlob, message: message)
        agent.ask(request, on: loop, within: target.deadlines.agent) { answer in
            self.agentAnswered(answer.read { KeyAgentReply.signature($0, algorithm: identity.signatureAlgorithm) })
        }
    }

    private func agentAnswered(_ answer: Result<[UInt8], KeyAgentFault>) {
        guard lifecycle.work == .authentication, let session else { return }
        switch answer {
        case .success(let signature): session.take(signature: signature)
        case .failure(let fault):
            keyAgentFault = fault
            session.take(signature: nil)
        }
        advance()
    }

    private func authenticationFailed(_ failure: LibSSH2Session.Failure, _ session: LibSSH2Session) {
        let cause = "libssh2 \(failure.number): \(failure.words)"
        let isRefusal =
            failure.number == LIBSSH2_ERROR_AUTHENTICATION_FAILED
            || failure.number == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED
        // A server that accepts no more attempts says so and disconnects.
        guard isRefusal || (session.disconnectReason != nil && !attempts.failures.isEmpty) else {
            return fail(.connectionLost, detail: session.disconnectReason, cause: cause)
        }
        attempts.failed(keyAgentFault)
        keyAgentFault = nil
        if isRefusal, attempts.current != nil { return advance() }
        let words = session.disconnectReason.map { "; it said \"\($0)\"" } ?? ""
        fail(attempts.code, detail: attempts.sentence + words, cause: cause)
    }
}
