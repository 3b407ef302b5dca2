import SSHSignatures

/// The requests to an ssh-agent (draft-ietf-sshm-ssh-agent sections 3.5 and 3.6), ready for the socket.
enum KeyAgentRequest {
    case identities
    /// - Parameter key: the blob as the agent knows it, `ssh-rsa` included.
    case signature(key: [UInt8], message: [UInt8])

    /// Length, type and contents.
    var frame: [UInt8] {
        var contents = SSHWireWriter()
        let type: UInt8
        switch self {
        case .identities: type = 11
        case .signature(let key, let message):
            type = 13
            contents.string(key)
            contents.string(message)
            // SSH_AGENT_RSA_SHA2_512; an agent ignores it for keys of other types.
            contents.uint32(4)
        }
        var frame = SSHWireWriter()
        frame.string([type] + contents.bytes)
        return frame.bytes
    }
}

/// The contents of an agent's answer; nil if they are not the expected ones.
enum KeyAgentReply {
    /// The blobs of SSH_AGENT_IDENTITIES_ANSWER, in the agent's order.
    static func keys(_ body: [UInt8]) -> [[UInt8]]? {
        var reader = SSHWireReader(body)
        guard reader.take(1)?.first == 12, let count = reader.uint32() else { return nil }
        var keys: [[UInt8]] = []
        for _ in 0..<count {
            guard let key = reader.string(), reader.string() != nil else { return nil }
            keys.append([UInt8](key))
        }
        return keys
    }

    /// The inner blob of SSH_AGENT_SIGN_RESPONSE, if it was made with the requested algorithm.
    static func signature(_ body: [UInt8], algorithm: String) -> [UInt8]? {
        var reader = SSHWireReader(body)
        guard reader.take(1)?.first == 14, let outer = reader.string() else { return nil }
        var signature = SSHWireReader([UInt8](outer))
        guard signature.text() == algorithm, let blob = signature.string() else { return nil }
        return [UInt8](blob)
    }
}

extension Result<[UInt8], KeyAgentFault> {
    /// The result of applying `parse` to the body.
    func read<Value>(_ parse: ([UInt8]) -> Value?) -> Result<Value, KeyAgentFault> {
        flatMap { parse($0).map { .success($0) } ?? .failure(.misunderstood) }
    }
}

/// Why an agent gave no usable answer.
enum KeyAgentFault: Error, Equatable {
    case unreachable(String)
    /// SSH_AGENT_FAILURE: the protocol does not give a reason.
    case refused
    case silent(Duration)
    case hungUp
    /// Its reply is not an answer to the request.
    case misunderstood
    /// More requests are waiting for it than allowed.
    case overrun

    var words: String {
        switch self {
        case .unreachable(let words): "it cannot be reached: \(words)"
        case .refused: "it refused; it may be locked, or its user did not confirm the use of the key"
        case .silent(let limit): "it did not answer within \(limit)"
        case .hungUp: "it closed the connection"
        case .misunderstood: "its answer does not follow the agent protocol"
        case .overrun: "\(TransportLimits.agentRequestCount) requests wait for it already"
        }
    }
}
