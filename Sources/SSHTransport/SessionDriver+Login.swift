import CLibSSH2

/// Proving who we are, once the host has proved its key.
extension SessionDriver {
    func advanceLogin(_ session: LibSSH2Session) {
        let identity = target.identity
        switch session.authenticate(user: target.user, publicBlob: identity.publicKeyBlob, key: identity.ownKey) {
        case .again: askAgent(session, identity)
        case .done: perform(lifecycle.authenticated())
        case .failed(let failure): authenticationFailed(failure, session)
        }
    }

    /// Has the agent sign what libssh2 wants signed; meanwhile libssh2 hears "again" and the loop does other work.
    private func askAgent(_ session: LibSSH2Session, _ identity: SSHIdentity) {
        guard case .agent(let agent) = identity.signer, let message = session.messageToSign() else { return }
        let request = AgentRequest.signature(key: identity.publicKeyBlob, message: message)
        agent.ask(request, on: loop, within: target.deadlines.agent) { answer in
            self.agentAnswered(answer.read { AgentReply.signature($0, algorithm: identity.signatureAlgorithm) })
        }
    }

    private func agentAnswered(_ answer: Result<[UInt8], AgentFault>) {
        guard lifecycle.work == .authentication, let session else { return }
        switch answer {
        case .success(let signature): session.take(signature: signature)
        case .failure(let fault):
            agentFault = fault
            session.take(signature: nil)
        }
        advance()
    }

    private func authenticationFailed(_ failure: LibSSH2Session.Failure, _ session: LibSSH2Session) {
        let cause = "libssh2 \(failure.number): \(failure.words)"
        if let agentFault { return fail(.agentFailed, detail: agentFault.words, cause: cause) }
        let isRefusal =
            failure.number == LIBSSH2_ERROR_AUTHENTICATION_FAILED
            || failure.number == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED
        fail(isRefusal ? .authenticationRefused : .connectionLost, detail: session.disconnectReason, cause: cause)
    }
}
