import AgentProtocol
import Foundation
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// Tests how the agent captures evidence on the host.
@Suite struct CaptureTests {
    private func http(_ port: UInt16, _ path: String = "/", timeoutSeconds: Int = 10) -> SurfaceRequest {
        SurfaceRequest(
            name: "web",
            source: .http(
                HTTPSource(
                    url: "http://127.0.0.1:\(port)\(path)", headers: ["X-Probe": "yes"], timeoutSeconds: timeoutSeconds)
            ))
    }

    private func command(_ shell: String, timeoutSeconds: Int = 10) -> SurfaceRequest {
        SurfaceRequest(
            name: "command",
            source: .command(ScriptCommand(arguments: ["sh", "-c", shell], timeoutSeconds: timeoutSeconds)))
    }

    private func take(_ surface: SurfaceRequest, from host: HostUnderTest) throws -> SurfaceReply {
        try #require(try host.session(epoch: nil).capture([surface], in: host.folder.path).first)
    }

    @Test func surfacesAreTakenInOrderAndAFailureStopsNone() throws {
        let host = try HostUnderTest()
        let server = try CannedServer(["HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nlater"])
        let replies = try host.session(epoch: nil).capture(
            [command("echo one; exit 4"), http(1), http(server.port, "/a?b=c")], in: host.folder.path)
        #expect(replies.map(\.resultCode) == [4, nil, 503])
        #expect(replies[0].body == Bytes(Array("one\n".utf8)))
        #expect(replies[0].instrumentDigest != nil)
        #expect(replies[1].failure?.code == .unreachable)
        #expect(replies[1].failure?.detail == "127.0.0.1 port 1: Connection refused (111)")
        #expect(replies[2].body == Bytes(Array("later".utf8)))
        let request = try #require(server.requests.first)
        #expect(request.hasPrefix("GET /a?b=c HTTP/1.1\r\n"))
        #expect(request.contains("Host: 127.0.0.1:\(server.port)\r\n"))
        #expect(request.contains("X-Probe: yes\r\n"))
    }

    @Test func theEndOfStandardErrorIsKeptApartAndTheRestIsDropped() throws {
        let host = try HostUnderTest()
        let loud = "echo out; echo first >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; echo last >&2; exit 3"
        let replies = try host.session(epoch: nil).capture(
            [command(loud), command("echo quiet")], in: host.folder.path)
        #expect(replies.map(\.resultCode) == [3, 0])
        #expect(replies[0].body == Bytes(Array("out\n".utf8)))
        let errors = try #require(replies[0].errors?.elements)
        #expect(errors.count == ProtocolLimits.surfaceErrorBytes)
        #expect(String(decoding: errors.suffix(7), as: UTF8.self) == "xxlast\n")
        #expect(replies[1].errors == nil)
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
    ])
    func everyFramingOfABodyIsRead(answer: String, body: String) throws {
        let server = try CannedServer([answer])
        let reply = try take(http(server.port), from: HostUnderTest())
        #expect(reply.resultCode == 200)
        #expect(String(decoding: reply.body.elements, as: UTF8.self) == body)
        #expect(reply.failure == nil)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab",
        "SSH-2.0-OpenSSH_9.2\r\n", "", "HTTP/1.1 200 OK\r\nX: ",
    ])
    func anIncompleteAnswerIsReportedAsUnreachable(answer: String) throws {
        let server = try CannedServer([answer])
        let reply = try take(http(server.port), from: HostUnderTest())
        #expect(reply.resultCode == nil)
        #expect(reply.failure?.code == .unreachable)
    }

    @Test func aLimitedRequestIsAskedAgainABoundedNumberOfTimes() throws {
        let limited = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
        let answered = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
        let patient = try CannedServer([limited, limited, answered])
        let reply = try take(http(patient.port), from: HostUnderTest())
        #expect(reply.resultCode == 200)
        #expect(reply.contentType == "text/plain")
        let stubborn = try CannedServer([limited, limited, limited, answered])
        #expect(try take(http(stubborn.port), from: HostUnderTest()).resultCode == 429)
        #expect(stubborn.requests.count == 3)
    }

    @Test func aPauseLongerThanTheTimeoutIsNotWaitedFor() throws {
        let server = try CannedServer(["HTTP/1.1 429 Slow Down\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"])
        let reply = try take(http(server.port, timeoutSeconds: 30), from: HostUnderTest())
        #expect(reply.resultCode == 429)
        #expect(reply.durationMilliseconds < 30_000)
    }

    @Test func aSecretGoesToTheServerAndNowhereElse() throws {
        let host = try HostUnderTest()
        let file = host.folder.appending(path: "token").path
        try "s3cret-token\n".write(toFile: file, atomically: true, encoding: .utf8)
        func surface(_ port: UInt16, _ file: String) -> SurfaceRequest {
            let source = HTTPSource(
                url: "http://127.0.0.1:\(port)/",
                secretHeaders: ["Authorization": SecretReference(file: file, prefix: "Bearer ")], timeoutSeconds: 5)
            return SurfaceRequest(name: "web", source: .http(source))
        }
        let echo = "you sent s3cret-token, s3cret-token"
        let server = try CannedServer(["HTTP/1.1 200 OK\r\nContent-Length: \(echo.utf8.count)\r\n\r\n\(echo)"])
        let reply = try take(surface(server.port, file), from: host)
        #expect(server.requests.first?.contains("Authorization: Bearer s3cret-token\r\n") == true)
        #expect(String(decoding: reply.body.elements, as: UTF8.self) == "you sent ***, ***")
        let missing = try take(surface(server.port, file + "-absent"), from: host)
        #expect(missing.failure?.code == .notRun)
        #expect(missing.failure?.detail.contains("token-absent can not be read") == true)
    }

    @Test(arguments: ["s3cret-token", "a\"b\\c/d e%f+g", "abcd", "~~~???>>>ooo"])
    func aSecretIsMaskedInEveryEncoding(_ secret: String) throws {
        let host = try HostUnderTest()
        try host.write("token", secret + "\n")
        let quoted = String(decoding: try JSONEncoder().encode([secret]), as: UTF8.self).dropFirst(2).dropLast(2)
        let unreserved = CharacterSet(
            charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
        let inURL = try #require(secret.addingPercentEncoding(withAllowedCharacters: unreserved))
        var forms = [
            secret, String(quoted), quoted.replacingOccurrences(of: "\\/", with: "/"), inURL, inURL.lowercased(),
            inURL.replacingOccurrences(of: "%20", with: "+"),
        ]
        // The base64 form of a secret depends on its offset.
        for before in ["", "B", "Be", "Bearer "] {
            let text = Data((before + secret + ":").utf8).base64EncodedString()
            for (plus, slash) in [("+", "/"), ("-", "_"), ("%2B", "%2F"), ("%2b", "%2f"), ("\\u002b", "\\/")] {
                forms.append(
                    text.replacingOccurrences(of: "+", with: plus).replacingOccurrences(of: "/", with: slash))
            }
        }
        let hex = secret.utf8.map { String(256 + Int($0), radix: 16).dropFirst() }
        forms += [hex.joined(), hex.joined().uppercased(), hex.joined(separator: ":"), hex.joined(separator: " ")]
        forms += [hex.map { "\\u00" + $0 }.joined(), hex.map { "\\\\u00" + $0.uppercased() }.joined()]
        forms += [
            hex.map { "%" + $0 }.joined(),
            hex.enumerated().map { $0 % 2 == 0 ? "%" + $1 : "%" + $1.uppercased() }.joined(),
        ]
        forms += [hex.map { "&#x\($0);" }.joined(), secret.utf8.map { "&#\($0);" }.joined()]
        forms += [hex.map { "\\x" + $0 }.joined(), hex.map { "%25" + $0 }.joined(), hex.map { "%2525" + $0 }.joined()]
        // A document nested in a document nested in a document.
        var nested = secret
        for _ in 0..<3 {
            nested = String(String(decoding: try JSONEncoder().encode(nested), as: UTF8.self).dropFirst().dropLast())
            forms.append(nested)
        }
        for end in ["\n", "\r\n", "\\n"] {
            let letters = Data(secret.utf8).base64EncodedString().map(String.init)
            forms.append(letters.enumerated().map { $0 > 0 && $0 % 4 == 0 ? end + $1 : $1 }.joined())
        }
        let secrets = try HostSecrets(["Authorization": SecretReference(file: host.folder.path + "/token", prefix: "")])
        for form in forms {
            let shown = String(decoding: secrets.redactor.redacted(Array("<\(form)>".utf8)), as: UTF8.self)
            #expect(shown.contains("***"), "\(form) is shown as \(shown)")
            // At most the letters that share bits with their neighbours remain.
            #expect(shown.count <= "<***>".count + 14, "\(form) is shown as \(shown)")
        }
        for harmless in ["ordinary text", "\\u0041 %41 &#65; + QUJD", String(secret.dropLast()), ""] {
            #expect(secrets.redactor.redacted(harmless) == harmless)
        }
    }

    @Test func aSecretIsMaskedAcrossTheCutAndInTheHead() throws {
        let host = try HostUnderTest()
        let secret = "s3cret-token-of-32-letters-at-all"
        try host.write("token", secret + "\n")
        // The truncation point is inside the secret.
        for kept in [1, 16, 32] {
            let body = String(repeating: "x", count: ProtocolLimits.surfaceBytes - kept) + secret + "more"
            let server = try CannedServer([
                "HTTP/1.1 200 OK\r\nContent-Type: text/\(secret)\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
            ])
            var source = HTTPSource(url: "http://127.0.0.1:\(server.port)/", timeoutSeconds: 20)
            source.secretHeaders = ["Authorization": SecretReference(file: host.folder.path + "/token")]
            let reply = try take(SurfaceRequest(name: "web", source: .http(source)), from: host)
            #expect(reply.body.elements.count <= ProtocolLimits.surfaceBytes)
            // The mask is shorter than the secret.
            #expect(reply.truncated == (kept == 1))
            #expect(!String(decoding: reply.body.elements, as: UTF8.self).contains("s"))
            #expect(reply.contentType == "text/***")
        }
        // Masking shortens the many secrets so much that text from behind the truncation point would move before it.
        let many = String(repeating: secret, count: ProtocolLimits.surfaceBytes / 16)
        let flood = try CannedServer(["HTTP/1.1 200 OK\r\nContent-Length: \(many.utf8.count)\r\n\r\n" + many])
        var asked = HTTPSource(url: "http://127.0.0.1:\(flood.port)/", timeoutSeconds: 20)
        asked.secretHeaders = ["Authorization": SecretReference(file: host.folder.path + "/token")]
        let shown = try take(SurfaceRequest(name: "web", source: .http(asked)), from: host)
        #expect(shown.truncated && Set(shown.body.elements) == [UInt8(ascii: "*")])
        let server = try CannedServer([
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/?token=\(secret)\r\nContent-Length: 0\r\n\r\n"
        ])
        var source = HTTPSource(url: "http://127.0.0.1:\(server.port)/", timeoutSeconds: 20)
        source.secretHeaders = ["Authorization": SecretReference(file: host.folder.path + "/token")]
        let detail = try take(SurfaceRequest(name: "web", source: .http(source)), from: host).failure?.detail
        #expect(detail == "answered 302, a redirect to http://127.0.0.1/?token=***, and redirects are not followed")
    }

    @Test(
        arguments: [
            ("Content-Encoding: gzip\r\n", "compressed (Content-Encoding: gzip)"),
            ("Content-Type: a/b\r\nContent-Type: c/d\r\n", "several types: a/b and c/d"),
        ])
    func anUnexpectedContentTypeIsReported(_ head: String, _ words: String) throws {
        let server = try CannedServer(["HTTP/1.1 200 OK\r\n\(head)Content-Length: 2\r\n\r\n{}"])
        let failure = try take(http(server.port), from: HostUnderTest()).failure
        #expect(failure?.code == .wrongContentType)
        #expect(failure?.detail.contains(words) == true, "\(failure as Any)")
    }

    @Test func aRedirectIsNotFollowed() throws {
        let server = try CannedServer([
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        ])
        let reply = try take(http(server.port), from: HostUnderTest())
        #expect(reply.resultCode == 302)
        #expect(reply.failure?.code == .unacceptedStatus)
        #expect(reply.failure?.detail.contains("a redirect to http://127.0.0.1:1/") == true)
    }

    @Test func aSlowAnswerEndsAtItsDeadline() throws {
        let server = try CannedServer(["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nslow"], staysOpen: true)
        let reply = try take(http(server.port, timeoutSeconds: 1), from: HostUnderTest())
        #expect(reply.resultCode == nil)
        #expect(reply.failure == UnknownReason(.timedOut, "no complete answer within 1 s"))
        #expect((1_000...6_000).contains(reply.durationMilliseconds))
    }

    @Test func aHugeBodyIsCutAndSaysSo() throws {
        let body = String(repeating: "x", count: 2_000_000)
        let server = try CannedServer(["HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + body])
        let reply = try take(http(server.port), from: HostUnderTest())
        #expect(reply.truncated)
        #expect(reply.body.elements.count == ProtocolLimits.surfaceBytes)
        #expect(reply.resultCode == 200)
    }

    @Test func anythingButPlainHTTPGoesThroughTheHostsCurl() throws {
        let host = try HostUnderTest()
        try FileManager.default.createDirectory(
            at: host.folder.appending(path: "bin"), withIntermediateDirectories: true)
        let surface = SurfaceRequest(
            name: "web", source: .http(HTTPSource(url: "https://127.0.0.1:1/x", timeoutSeconds: 20)))
        let session = try host.session(epoch: nil)
        let reply = try #require(try session.capture([surface], in: host.folder.path).first)
        // Nothing listens there: what matters is that curl was used and its failure is reported.
        #expect(reply.resultCode == nil)
        #expect(reply.failure?.detail.contains("connect") == true)
    }

    /// curl resolves any name below localhost to this machine; the agent leaves name resolution to curl.
    @Test func curlGetsHeadersOfAnySizeInMemory() throws {
        let server = try CannedServer(["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
        let long = String(repeating: "x", count: 50_000)
        let source = HTTPSource(
            url: "http://stack.localhost:\(server.port)/", headers: ["X-Probe": "yes", "X-Long": long],
            timeoutSeconds: 20)
        let reply = try take(SurfaceRequest(name: "web", source: .http(source)), from: HostUnderTest())
        #expect(reply.resultCode == 200, "\(reply)")
        let request = try #require(server.requests.first)
        #expect(request.contains("X-Probe: yes\r\n") && request.contains("X-Long: \(long)\r\n"))
        #expect(request.contains("curl/"))
    }

    @Test func aBadURLIsNotRun() throws {
        let surface = SurfaceRequest(
            name: "web", source: .http(HTTPSource(url: "http://127.0.0.1/\r\nX: y", timeoutSeconds: 2)))
        #expect(try take(surface, from: HostUnderTest()).failure?.code == .notRun)
    }

    @Test func aCommandsStandardErrorIsNotEvidenceAndItsOutputIsBounded() throws {
        let host = try HostUnderTest()
        let reply = try take(command("echo noise >&2; head -c 1000000 /dev/zero"), from: host)
        #expect(reply.truncated)
        #expect(reply.body.elements.count == ProtocolLimits.surfaceBytes)
        #expect(reply.resultCode == 0)
    }

    @Test func anEndlessCommandIsEndedWithItsGroup() throws {
        let host = try HostUnderTest()
        let reply = try take(command("sleep 60 & echo $! > member; yes", timeoutSeconds: 5), from: host)
        #expect(reply.failure?.code == .timedOut)
        #expect(reply.truncated)
        let member = try #require(host.lines(of: "member").first.flatMap { Int32($0) })
        let stat = try? String(contentsOfFile: "/proc/\(member)/stat", encoding: .utf8)
        #expect(stat.map { $0.contains(") Z ") } ?? true)
    }

    @Test func aBackgroundProcessThatKeepsThePipeDoesNotHoldTheCapture() throws {
        let host = try HostUnderTest()
        let reply = try take(command("sleep 30 & echo $! > member; echo done", timeoutSeconds: 20), from: host)
        #expect(reply.resultCode == 0)
        #expect(reply.body == Bytes(Array("done\n".utf8)))
        #expect(reply.durationMilliseconds < 15_000)
        kill(try #require(host.lines(of: "member").first.flatMap { Int32($0) }), SIGKILL)
    }

    @Test func aMissingOrKilledCommandIsNotRun() throws {
        let host = try HostUnderTest()
        let missing = SurfaceRequest(
            name: "x", source: .command(ScriptCommand(arguments: ["no-such-command"], timeoutSeconds: 2)))
        #expect(try take(missing, from: host).failure?.code == .notRun)
        #expect(try take(command("kill -9 $$"), from: host).failure?.code == .notRun)
    }

    @Test func aCaptureGoesOnWhileAnOperationIsFollowed() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        try session.begin(host.start("op", "while [ ! -e go ]; do sleep 0.05; done; echo end"))
        let attached = try session.send(.attach(AttachRequest(operation: "op", fromByte: 0)))
        #expect(try session.capture([command("echo beside")], in: host.folder.path).count == 1)
        try host.write("go", "")
        guard case .output(let slice) = try session.reply(to: attached) else { throw Surprise("no output") }
        #expect(slice.bytes == Bytes(Array("end\n".utf8)))
    }
}
