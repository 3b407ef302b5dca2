import Foundation
import LabFleet
import Subprocess
import Testing
import UpgradeDomain

/// A secret that a host sends to its own service appears nowhere else, however the service echoes it.
struct SecretTests {
    /// Its JSON, URL and base64 encodings all differ from it.
    static let canary = "cana\"ry\\of/a 7+mine%"

    /// Echoes its caller's secret in every encoding, in the answer's head and body; also checks whether a command line
    /// or an environment of this machine contains it.
    static let server = """
        import base64, glob, http.server, json, sys, urllib.parse
        canary = open(sys.argv[1]).read().strip()

        class Echo(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                said = self.headers.get("X-Token", "")
                with open("asked", "a") as asked: asked.write("%s\\n" % (canary in said))
                for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
                    try: text = open(path, "rb").read()
                    except OSError: continue
                    if canary.encode() in text: open("seen", "a").write(path + "\\n")
                secret = said.removeprefix("Token ")
                forms = [secret, json.dumps(secret), urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret),
                         base64.b64encode(secret.encode()).decode(), base64.b64encode(said.encode()).decode()]
                items = [{"key": "form-%d" % n, "value": form, "health": "healthy"} for n, form in enumerate(forms)]
                body = json.dumps({"items": items, "said": said}).encode()
                self.send_response(200, "OK " + urllib.parse.quote(secret, safe=""))
                self.send_header("X-Said", secret)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def log_message(self, *words): pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """

    private final class EchoServer {
        let folder: URL
        let port: String
        private let process = Process()

        init(in folder: String, secret: String) throws {
            self.folder = URL(filePath: folder).appending(path: "echo")
            try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
            let output = Pipe()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["python3", "-c", SecretTests.server, secret]
            process.currentDirectoryURL = self.folder
            process.standardOutput = output
            try process.run()
            var line: [UInt8] = []
            while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != 0x0a {
                line.append(byte)
            }
            port = String(decoding: line, as: UTF8.self)
        }

        func lines(of name: String) -> [String] {
            let text = try? String(contentsOf: folder.appending(path: name), encoding: .utf8)
            return text?.split(separator: "\n").map(String.init) ?? []
        }

        func end() {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    @Test func aSecretIsInNoFileNoOutputAndNoCommandLine() async throws {
        try await FleetFixture.with(ConnectionFaultTests.one) { fleet in
            let secret = fleet.folder + "/token"
            try (SecretTests.canary + "\n").write(toFile: secret, atomically: true, encoding: .utf8)
            let server = try EchoServer(in: fleet.folder, secret: secret)
            defer { server.end() }
            try await fleet.approvePlan(
                to: "1.5.0",
                change: { plan in
                    plan.replacingOccurrences(
                        of: """
                              http: {url: "${baseURL}/api/v1/orders/smoke", timeoutSeconds: 5}
                              read: {shape: result}
                            """,
                        with: """
                              http:
                                url: "http://127.0.0.1:\(server.port)/"
                                secretHeaders: {X-Token: {file: \(secret), prefix: "Token "}}
                                timeoutSeconds: 5
                              read: {shape: items, items: /items}
                            """)
                })
            var reported: [FleetFixture.Outcome] = []
            func tell(_ words: String...) async throws {
                let outcome = try await fleet.run(words)
                #expect([0, 11].contains(outcome.code), "\(words): \(outcome.code) \(outcome.output)\(outcome.errors)")
                reported.append(outcome)
            }
            let log = fleet.folder + "/run.log"
            try await tell("rollout", "start", "lab-1.5.0", "--log-level", "trace", "--log-file", log)
            #expect(try String(contentsOfFile: log, encoding: .utf8).contains(" committed "))
            try await tell("rollback", "--all", "--reason", "test")
            try await tell("status", "--json")
            try await tell("events", "--json")
            try await tell("evidence", "try", fleet.folder + "/plan.yaml", "--host", "core-1")
            try await tell("evidence", "export", "--output", fleet.folder + "/bundle")
            try await tell("report", "--output", fleet.folder + "/report.html")
            try await tell("backup", fleet.folder + "/copy.sqlite")
            #expect(server.lines(of: "asked").count > 3 && server.lines(of: "asked").allSatisfy { $0 == "True" })
            #expect(server.lines(of: "seen").isEmpty, "the secret was in \(server.lines(of: "seen"))")

            for (index, outcome) in reported.enumerated() {
                try Data((outcome.output + outcome.errors).utf8).write(
                    to: URL(filePath: "\(fleet.folder)/reported-\(index)"))
            }
            try FileManager.default.removeItem(atPath: secret)
            let found = try await whereverItIs(below: [fleet.folder, fleet.lab.folder])
            #expect(found.isEmpty, "the secret is in \(found)")
        }
    }

    /// The files that contain the secret in any encoding; gzipped files are decompressed.
    private func whereverItIs(below folders: [String]) async throws -> String {
        let looking = """
            import base64, glob, gzip, json, os, sys, urllib.parse
            secret, *folders = sys.argv[1:]
            inner = json.dumps(secret)[1:-1]
            # What does not depend on the neighbours: from each place in a group of three, without the ends.
            encoded = [base64.b64encode(b"\\0" * lead + secret.encode())[(0, 2, 3)[lead]:-4] for lead in range(3)]
            forms = [form.encode() for form in (secret, inner, json.dumps(inner)[1:-1], urllib.parse.quote(secret, safe=""),
                     urllib.parse.quote_plus(secret))] + encoded
            count = 0
            for place, _, names in (found for folder in folders for found in os.walk(folder)):
                for name in names:
                    path = os.path.join(place, name)
                    if not os.path.isfile(path): continue
                    bytes = open(path, "rb").read()
                    if bytes[:2] == b"\\x1f\\x8b": bytes += gzip.decompress(bytes)
                    count += 1
                    found = [form for form in forms if form in bytes]
                    if found: print(path, found)
            assert count > 50, count
            """
        let record = try await Subprocess.run(
            .name("python3"), arguments: Arguments(["-c", looking, SecretTests.canary] + folders),
            output: .string(limit: 1_048_576), error: .string(limit: 65_536))
        #expect(record.terminationStatus.exitCode == 0, "\(record.standardError)")
        return record.standardOutput
    }
}
