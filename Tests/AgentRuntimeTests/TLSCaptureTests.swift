import AgentProtocol
import ContentDigest
import Foundation
import Glibc
import TestSupport
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// Tests how the agent looks at TLS: real servers, with certificates that are made here.
@Suite(.enabled(if: isExecutableFile("/usr/bin/openssl"), "needs openssl"))
struct TLSCaptureTests {
    /// A certificate authority, and what it signed: `db`, for db.test and 127.0.0.1, `ended`, which was valid until
    /// yesterday, and `client`.
    private final class Servers {
        let host: HostUnderTest
        private var processes: [(Process, Pipe)] = []
        var ca: String { file("ca.pem") }

        init() throws {
            host = try HostUnderTest()
            let text = """
                openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj "/CN=Test CA" -days 30
                printf 'subjectAltName=DNS:db.test,IP:127.0.0.1' > names
                for each in "db 10" "ended -1" "client 10"; do
                    set -- $each
                    openssl req -newkey rsa:2048 -nodes -keyout $1.key -out $1.csr -subj "/CN=$1.test"
                    openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $2 -extfile names -out $1.pem
                done
                """
            let made = Process()
            made.executableURL = URL(filePath: "/bin/sh")
            made.arguments = ["-ec", text]
            made.currentDirectoryURL = host.folder
            made.standardError = FileHandle.nullDevice
            made.standardOutput = FileHandle.nullDevice
            try made.run()
            made.waitUntilExit()
            guard made.terminationStatus == 0 else { throw Surprise("no certificates") }
        }

        deinit { for (process, _) in processes where process.isRunning { kill(process.processIdentifier, SIGKILL) } }

        func file(_ name: String) -> String { host.folder.appending(path: name).path }

        /// Starts a server that prints its port, alone or behind `ACCEPT ADDRESS:`.
        private func start(_ words: [String]) throws -> Int {
            let process = Process()
            let (input, output) = (Pipe(), Pipe())
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = words
            process.currentDirectoryURL = host.folder
            process.standardInput = input
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            processes.append((process, input))
            var line: [UInt8] = []
            while true {
                guard let byte = try output.fileHandleForReading.read(upToCount: 1)?.first else {
                    throw Surprise("\(words) did not say its port: \(String(decoding: line, as: UTF8.self))")
                }
                if byte != 0x0a {
                    line.append(byte)
                } else if let port = Int(String(decoding: line, as: UTF8.self).split(separator: ":").last ?? "") {
                    return port
                } else {
                    line = []
                }
            }
        }

        func openssl(_ certificate: String = "db", _ options: String...) throws -> Int {
            try start(
                [
                    "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "\(certificate).pem", "-key",
                    "\(certificate).key",
                ] + options)
        }

        /// Answers PostgreSQL's SSLRequest, then speaks TLS.
        func postgres() throws -> Int {
            try host.write(
                "postgres.py",
                """
                import socket, ssl
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain("db.pem", "db.key")
                server = socket.create_server(("127.0.0.1", 0))
                print(server.getsockname()[1], flush=True)
                while True:
                    connection, _ = server.accept()
                    if connection.recv(8) == bytes([0, 0, 0, 8, 4, 210, 22, 47]):
                        connection.sendall(b"S")
                        try:
                            context.wrap_socket(connection, server_side=True).recv(1)
                        except OSError:
                            pass
                """)
            return try start(["python3", "postgres.py"])
        }

        func take(
            _ port: Int, _ name: String = "db.test", seconds: Int = 20, path: String = "/usr/bin:/bin",
            change: (inout ServiceTLS) -> Void = { _ in }
        ) throws -> SurfaceReply {
            var tls = ServiceTLS(serverName: name, caFile: ca)
            change(&tls)
            return try host.take(.tcp(TCPSource(port: port, timeoutSeconds: seconds, tls: tls)), path: path)
        }
    }

    /// What a plan file makes of the answer, with the given number of days.
    private func items(_ reply: SurfaceReply, days: Double = 5) throws -> [EvidenceItem] {
        let reader = Reader(
            shape: .measures,
            measures: [
                Measure(name: "certificateDays", pointer: "/certificate/days", atLeast: days),
                Measure(name: "tlsVersion", pointer: "/tls/version", fall: Tolerance(absolute: 0)),
            ])
        let answer = RawAnswer(
            resultCode: try #require(reply.resultCode, "\(reply)"),
            document: .success(try CanonicalJSON.answer(from: reply.body.elements)), text: "", truncated: false,
            hostTime: reply.hostTime)
        return try reader.read(answer, acceptedCodes: [0]).get()
    }

    @Test func theCertificateIsVerifiedAndItsEndIsRead() throws {
        let servers = try Servers()
        let port = try servers.openssl()
        let reply = try servers.take(port)
        #expect(
            try items(reply) == [
                EvidenceItem(key: "certificateDays", value: "9", health: .healthy),
                EvidenceItem(key: "tlsVersion", value: "1.3", health: .healthy),
            ])
        #expect(try items(reply, days: 14)[0].health == .unhealthy)
        let document = try CanonicalJSON.answer(from: reply.body.elements)
        #expect(document.value(at: "/certificate/subject")?.text?.hasSuffix("db.test") == true)
        let end = try #require(document.value(at: "/certificate/endsAt")?.text.flatMap { WallTime(rfc3339: $0) })
        #expect(abs(end.milliseconds(since: .now) - 864_000_000) < 600_000)
        #expect(try servers.take(port, "127.0.0.1").resultCode == 0, "an address of the certificate")
    }

    @Test func aCertificateThatIsNotTrustedIsUnknownInOpensslsWords() throws {
        let servers = try Servers()
        let port = try servers.openssl()
        let place = "the certificate of 127.0.0.1 port \(port) is not trusted for"
        let other = try servers.take(port, "other.test")
        #expect(other.failure == UnknownReason(.untrusted, "\(place) other.test: hostname mismatch"))
        let address = try servers.take(port, "127.0.0.2")
        #expect(address.failure == UnknownReason(.untrusted, "\(place) 127.0.0.2: IP address mismatch"))
        let stranger = try servers.take(port) { $0.caFile = nil }
        #expect(
            stranger.failure
                == UnknownReason(
                    .untrusted,
                    "\(place) db.test: unable to get local issuer certificate; tls.caFile names what to trust"))
        let ended = try servers.take(try servers.openssl("ended"))
        #expect(ended.failure?.code == .untrusted && ended.failure?.detail.hasSuffix("certificate has expired") == true)
        #expect(ended.resultCode == nil && ended.body.elements.isEmpty)
    }

    @Test func anOlderTLSIsANumberThatFell() throws {
        let servers = try Servers()
        #expect(try items(try servers.take(try servers.openssl("db", "-tls1_2")))[1].value == "1.2")
    }

    @Test func aServiceMayAskForACertificate() throws {
        let servers = try Servers()
        let port = try servers.openssl("db", "-Verify", "1", "-verify_return_error", "-CAfile", servers.ca, "-tls1_2")
        #expect(try servers.take(port).failure?.code == .unreachable)
        let known = try servers.take(port) {
            ($0.certificateFile, $0.keyFile) = (servers.file("client.pem"), servers.file("client.key"))
        }
        #expect(known.resultCode == 0, "\(known)")
    }

    @Test func tlsMayBeginInsideAnotherProtocol() throws {
        let servers = try Servers()
        let port = try servers.postgres()
        #expect(try servers.take(port) { $0.startTLS = .postgres }.resultCode == 0)
    }

    @Test func aPortWithoutTLSIsUnknown() throws {
        let servers = try Servers()
        let refused = try servers.take(1)
        #expect(refused.failure == UnknownReason(.unreachable, "127.0.0.1 port 1: Connection refused (111)"))
        let (listener, silent) = try CannedServer.listen()
        defer { close(listener) }
        let late = try servers.take(Int(silent), seconds: 1)
        #expect(
            late.failure == UnknownReason(.timedOut, "127.0.0.1 port \(silent) did not complete TLS within 1 s"))
        let file = try servers.take(try servers.openssl()) { $0.caFile = "/nowhere/ca.pem" }
        #expect(file.failure?.detail.contains("No such file or directory") == true, "\(file)")
        let missing = try servers.take(1, path: servers.host.tools)
        #expect(
            missing.failure
                == UnknownReason(.notRun, "127.0.0.1 port 1: TLS needs openssl, which is not installed on the host"))
    }

    @Test func whatWouldBeAnOptionIsRefused() throws {
        let host = try HostUnderTest()
        let session = try host.session(epoch: nil)
        func refusal(_ address: String, _ change: (inout ServiceTLS) -> Void) throws -> Refusal.Code {
            var tls = ServiceTLS(serverName: "db.test")
            change(&tls)
            let source = SurfaceSource.tcp(TCPSource(address: address, port: 1, timeoutSeconds: 1, tls: tls))
            return try session.refusal(
                .capture(
                    CaptureRequest(workingDirectory: "/", surfaces: [SurfaceRequest(name: "s", source: source)])))
        }
        #expect(try refusal("127.0.0.1") { $0.serverName = "-x" } == .malformed)
        #expect(try refusal("127.0.0.1") { $0.caFile = "ca.pem" } == .malformed)
        #expect(try refusal("localhost") { _ in } == .malformed)
    }

    @Test func theTimesOfOpensslAreRead() {
        #expect(TLSCapture.time("Dec  1 15:56:46 2026 GMT")?.rfc3339 == "2026-12-01T15:56:46Z")
        #expect(TLSCapture.time("Feb 29 00:00:00 2028 GMT")?.rfc3339 == "2028-02-29T00:00:00Z")
        for text in [
            "", "Dec 1 2026", "Foo  1 15:56:46 2026 GMT", "Feb 30 00:00:00 2026 GMT", "Dec 1 1:00:00 12026 GMT",
        ] {
            #expect(TLSCapture.time(text) == nil)
        }
    }
}
