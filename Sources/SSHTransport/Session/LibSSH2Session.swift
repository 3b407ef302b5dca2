import CLibSSH2
import FoundationEssentials
import Glibc
import NIOCore
import SSHSignatures

/// One libssh2 session over byte buffers instead of a socket.
///
/// Used by one event loop only. The send callback always accepts the whole packet, so libssh2 never holds a partial one
/// (which would make the next call fail with BAD_USE, -39). Instead, callers wait before they write.
final class LibSSH2Session {
    enum Outcome: Equatable {
        case done
        /// More bytes from the peer are needed first.
        case again
        case failed(Failure)
    }

    /// libssh2's error number and message.
    struct Failure: Error, Equatable {
        let number: Int32
        let words: String

        /// Whether the connection below libssh2 ended, as opposed to an error in the received data.
        var isConnectionLost: Bool {
            [LIBSSH2_ERROR_SOCKET_SEND, LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_DISCONNECT].contains(number)
        }
    }

    /// How a signature is made while libssh2 waits for it. libssh2 calls back with the same message until it gets one.
    private enum Signing {
        case idle
        /// libssh2 asked for it, and it was not available at once.
        case wanted(message: [UInt8])
        /// It is being made elsewhere.
        case underWay
        case made([UInt8])
        case denied
    }

    /// Encrypted bytes from the peer that libssh2 has not read yet.
    var inbound = ByteBuffer()
    /// Encrypted bytes for the peer.
    var outbound = ByteBuffer()
    /// The server's reason in its SSH_MSG_DISCONNECT, made printable.
    fileprivate(set) var disconnectReason: String?
    fileprivate var inputIsCut = false
    private var signing = Signing.idle
    /// The private half of the login key, if this process has it.
    private var signingKey: OpenSSHPrivateKey?
    private let session: OpaquePointer
    private var isFreed = false

    /// `libssh2_init` is not thread-safe; the language guarantees that this runs once.
    private static let libraryStatus = libssh2_init(0)
    /// libssh2 requires a descriptor, but only reads and changes its O_NONBLOCK flag.
    private static let placeholder = open("/dev/null", O_RDWR | O_NONBLOCK | O_CLOEXEC)

    init?(hostKeyTypes: [String]) {
        guard Self.libraryStatus == 0, Self.placeholder >= 0,
            let session = libssh2_session_init_ex(nil, nil, nil, nil)
        else { return nil }
        self.session = session
        libssh2_session_abstract(session).pointee = Unmanaged.passUnretained(self).toOpaque()
        libssh2_session_set_blocking(session, 0)
        libssh2_session_callback_set(
            session, LIBSSH2_CALLBACK_SEND, unsafeBitCast(sendIntoBuffer, to: UnsafeMutableRawPointer.self))
        libssh2_session_callback_set(
            session, LIBSSH2_CALLBACK_RECV, unsafeBitCast(receiveFromBuffer, to: UnsafeMutableRawPointer.self))
        libssh2_session_callback_set(
            session, LIBSSH2_CALLBACK_DISCONNECT, unsafeBitCast(noteDisconnect, to: UnsafeMutableRawPointer.self))
        libssh2_session_method_pref(
            session, LIBSSH2_METHOD_HOSTKEY,
            Self.hostKeyPreference(pinned: hostKeyTypes, supported: supported(LIBSSH2_METHOD_HOSTKEY)))
    }

    /// The pinned types first, then the rest, so that a host with another key can be named in the error. Never
    /// certificates, because libssh2 does not check their authority.
    ///
    /// - Parameter supported: the names that this libssh2 knows. It would remove any other name from the list itself,
    ///   but 1.10 does so with a memcpy over overlapping bytes (`libssh2_session_method_pref`), which is undefined in
    ///   C.
    static func hostKeyPreference(pinned: [String], supported: [String]) -> String {
        let all = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"]
        let ordered = all.filter(pinned.contains) + all.filter { !pinned.contains($0) }
        return ordered.flatMap { $0 == "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", $0] : [$0] }
            .filter(supported.contains).joined(separator: ",")
    }

    // MARK: Session

    func handshake() -> Outcome { outcome(libssh2_session_handshake(session, Self.placeholder)) }

    /// The public key blob that the server proved it owns; empty before the key exchange.
    var hostKeyBlob: [UInt8] {
        var count = 0
        var type: Int32 = 0
        guard let bytes = libssh2_session_hostkey(session, &count, &type) else { return [] }
        return UnsafeRawBufferPointer(start: bytes, count: count).map { $0 }
    }

    /// Logs in with one key. After `again`, check `messageToSign()`.
    ///
    /// - Parameter key: the private half; nil if an ssh-agent signs.
    func authenticate(user: String, publicBlob: [UInt8], key: OpenSSHPrivateKey?) -> Outcome {
        signingKey = key
        let blob = Self.blobToLogIn(with: publicBlob)
        return withExtendedLifetime(self) {
            var context: UnsafeMutableRawPointer? = Unmanaged.passUnretained(self).toOpaque()
            return outcome(
                libssh2_userauth_publickey(session, user, blob, blob.count, signWithIdentity, &context))
        }
    }

    /// Sends a global request that every server answers, at least with a refusal (RFC 4254 section 4). libssh2 drops
    /// the answer.
    ///
    /// - Returns: whether it was sent. libssh2 sends at most one every two seconds, by its wall clock.
    func askForSignOfLife() -> Bool {
        libssh2_keepalive_config(session, 1, 2)
        let before = outbound.readableBytes
        var seconds: Int32 = 0
        return libssh2_keepalive_send(session, &seconds) == 0 && outbound.readableBytes > before
    }

    /// The message that must be signed elsewhere before `authenticate` can continue; returned once.
    func messageToSign() -> [UInt8]? {
        guard case .wanted(let message) = signing else { return nil }
        signing = .underWay
        return message
    }

    /// Takes the signature of that message, or nil if there will be none. Then `authenticate` can continue.
    func take(signature: [UInt8]?) {
        guard case .underWay = signing else { return }
        signing = signature.map { .made($0) } ?? .denied
    }

    /// The signature of a message.
    /// - Throws: `SigningPause` if there is no signature yet, or never will be.
    fileprivate func signature(of message: UnsafeRawBufferPointer) throws -> [UInt8] {
        if let signingKey { return try signingKey.signature(for: Data(message)) }
        switch signing {
        case .idle:
            signing = .wanted(message: [UInt8](message))
            throw SigningPause.untilMade
        case .wanted, .underWay: throw SigningPause.untilMade
        case .made(let signature):
            signing = .idle
            return signature
        case .denied:
            signing = .idle
            throw SigningPause.forGood
        }
    }

    /// The public key in the form that libssh2 needs: an RSA key under the name of its SHA-512 signatures (RFC 8332).
    ///
    /// libssh2 takes the signature algorithm from the blob's first string. 1.10 knows only `ssh-rsa`, which means SHA-1
    /// and is refused since OpenSSH 8.8. OpenSSH reads a key under either name as the same RSA key.
    static func blobToLogIn(with publicBlob: [UInt8]) -> [UInt8] {
        var reader = SSHWireReader(publicBlob)
        guard reader.text() == "ssh-rsa" else { return publicBlob }
        var writer = SSHWireWriter()
        writer.string("rsa-sha2-512".utf8)
        return writer.bytes + publicBlob.dropFirst(4 + "ssh-rsa".utf8.count)
    }

    func disconnect() {
        _ = libssh2_session_disconnect_ex(session, SSH_DISCONNECT_BY_APPLICATION, "done", "")
    }

    /// Frees the session and its channels without waiting for the peer: the input is closed, so every wait ends.
    func free() {
        guard !isFreed else { return }
        isFreed = true
        inputIsCut = true
        for _ in 0..<TransportLimits.freeAttemptCount where libssh2_session_free(session) != LIBSSH2_ERROR_EAGAIN {
            return
        }
    }

    /// What this libssh2 can negotiate for one of the LIBSSH2_METHOD_ kinds.
    func supported(_ method: Int32) -> [String] {
        var list: UnsafeMutablePointer<UnsafePointer<CChar>?>?
        let count = libssh2_session_supported_algs(session, method, &list)
        guard count > 0, let list else { return [] }
        defer { libssh2_free(session, list) }
        return (0..<Int(count)).compactMap { list[$0].map { String(cString: $0) } }
    }

    // MARK: Channels

    /// Opens a channel. Only one at a time may be half open. Nil means: call again with the same purpose.
    func openChannel(for purpose: ExecChannel.Purpose) -> Result<OpaquePointer?, Failure> {
        let type: String
        var details = SSHWireWriter()
        switch purpose {
        case .command: type = "session"
        case .tunnel(let address, let port):
            type = "direct-tcpip"
            details.string(address.utf8)
            details.uint32(UInt32(port))
            // The origin address, which servers only log: there is none here.
            details.string("127.0.0.1".utf8)
            details.uint32(0)
        }
        let message = details.bytes.map { CChar(bitPattern: $0) }
        let channel = libssh2_channel_open_ex(
            session, type, UInt32(type.utf8.count), UInt32(TransportLimits.windowBytes),
            UInt32(TransportLimits.packetBytes), message, UInt32(message.count))
        if let channel { return .success(channel) }
        let number = libssh2_session_last_errno(session)
        return number == LIBSSH2_ERROR_EAGAIN ? .success(nil) : .failure(failure(number))
    }

    func startExec(_ command: String, on channel: OpaquePointer) -> Outcome {
        let request = "exec"
        return outcome(
            libssh2_channel_process_startup(
                channel, request, UInt32(request.utf8.count), command, UInt32(command.utf8.count)))
    }

    /// Bytes read, 0 for "nothing now or never again" (check `isAtEnd`), or a failure.
    func read(_ channel: OpaquePointer, stream: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Result<
        Int, Failure
    > {
        let count = libssh2_channel_read_ex(
            channel, stream, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        if count >= 0 { return .success(count) }
        let number = Int32(truncatingIfNeeded: count)
        return number == LIBSSH2_ERROR_EAGAIN ? .success(0) : .failure(failure(number))
    }

    /// Bytes accepted; 0 if the window is closed. After 0 the next call must pass the same bytes.
    func write(_ channel: OpaquePointer, _ bytes: UnsafeRawBufferPointer) -> Result<Int, Failure> {
        let count = libssh2_channel_write_ex(
            channel, 0, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        if count >= 0 { return .success(count) }
        let number = Int32(truncatingIfNeeded: count)
        return number == LIBSSH2_ERROR_EAGAIN ? .success(0) : .failure(failure(number))
    }

    func sendEOF(_ channel: OpaquePointer) -> Outcome { outcome(libssh2_channel_send_eof(channel)) }

    /// Whether the remote side has ended its output and all of it was read.
    func isAtEnd(_ channel: OpaquePointer) -> Bool { libssh2_channel_eof(channel) == 1 }

    /// Only after `isAtEnd`: libssh2 refuses it before.
    func waitClosed(_ channel: OpaquePointer) -> Outcome { outcome(libssh2_channel_wait_closed(channel)) }

    func free(_ channel: OpaquePointer) -> Outcome { outcome(libssh2_channel_free(channel)) }

    func exit(of channel: OpaquePointer) -> SSHExit {
        var name: UnsafeMutablePointer<CChar>?
        var count = 0
        libssh2_channel_get_exit_signal(channel, &name, &count, nil, nil, nil, nil)
        var signal: String?
        if let name {
            signal = printable(UnsafeRawBufferPointer(start: name, count: count))
            libssh2_free(session, name)
        }
        return SSHExit(status: Int(libssh2_channel_get_exit_status(channel)), signal: signal)
    }

    // MARK: Results

    private func outcome(_ number: Int32) -> Outcome {
        switch number {
        case 0...: .done
        case LIBSSH2_ERROR_EAGAIN: .again
        default: .failed(failure(number))
        }
    }

    private func failure(_ number: Int32) -> Failure {
        var words: UnsafeMutablePointer<CChar>?
        var count: Int32 = 0
        libssh2_session_last_error(session, &words, &count, 0)
        let text = words.map { printable(UnsafeRawBufferPointer(start: $0, count: Int(count))) } ?? ""
        return Failure(number: number, words: text)
    }
}

// MARK: Callbacks, called by libssh2 from within the calls above

private typealias Context = UnsafeMutablePointer<UnsafeMutableRawPointer?>?

private func owner(_ context: Context) -> LibSSH2Session? {
    guard let pointer = context?.pointee else { return nil }
    return Unmanaged<LibSSH2Session>.fromOpaque(pointer).takeUnretainedValue()
}

private let sendIntoBuffer: @convention(c) (Int32, UnsafeRawPointer?, Int, Int32, Context) -> Int = {
    _, bytes, count, _, context in
    guard let session = owner(context) else { return Int(-EPIPE) }
    session.outbound.writeBytes(UnsafeRawBufferPointer(start: bytes, count: count))
    return count
}

private let receiveFromBuffer: @convention(c) (Int32, UnsafeMutableRawPointer?, Int, Int32, Context) -> Int = {
    _, target, count, _, context in
    guard let session = owner(context), let target, !session.inputIsCut else { return Int(-ECONNRESET) }
    let taken = min(count, session.inbound.readableBytes)
    guard taken > 0 else { return Int(-EAGAIN) }
    session.inbound.readWithUnsafeReadableBytes { source in
        target.copyMemory(from: source.baseAddress!, byteCount: taken)
        return taken
    }
    return taken
}

private let noteDisconnect:
    @convention(c) (OpaquePointer?, Int32, UnsafePointer<CChar>?, Int32, UnsafePointer<CChar>?, Int32, Context) -> Void =
        {
            _, _, message, count, _, _, context in
            owner(context)?.disconnectReason = printable(
                UnsafeRawBufferPointer(start: message, count: message == nil ? 0 : max(0, Int(count))))
        }

private enum SigningPause: Error { case untilMade, forGood }

/// libssh2 frees the signature with the session's allocator, which is malloc's.
private let signWithIdentity:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, UnsafeMutablePointer<Int>?,
        UnsafePointer<UInt8>?, Int, Context
    ) -> Int32 = { _, signature, signatureCount, message, messageCount, context in
        guard let session = owner(context), let signature, let signatureCount, let message else { return -1 }
        do {
            let bytes = try session.signature(of: UnsafeRawBufferPointer(start: message, count: messageCount))
            guard let memory = malloc(bytes.count) else { return -1 }
            memory.copyMemory(from: bytes, byteCount: bytes.count)
            signature.pointee = memory.assumingMemoryBound(to: UInt8.self)
            signatureCount.pointee = bytes.count
            return 0
        } catch SigningPause.untilMade {
            return LIBSSH2_ERROR_EAGAIN
        } catch {
            return -1
        }
    }
