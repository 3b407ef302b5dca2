import Foundation
import LabFleet
import TestSupport
import Testing
import UpgradeDomain

/// Evidence of other kinds than HTTP and commands, from the plan file to the verdict.
struct KindTests {
    /// Adds surfaces to a lab's plan.
    private func evidence(_ surfaces: String) -> (String) -> String {
        { plan in plan.replacing("evidence:\n", with: "evidence:\n\(surfaces)\n") }
    }

    /// Each look finds the unit running, and systemd started it again in between.
    @Test func aCrashLoopAfterTheChangeHoldsTheRun() async throws {
        try await FleetFixture.with(ConnectionFaultTests.one, agentsAreThere: false) { fleet in
            let host = try fleet.lab.host("core-1")
            let bin = host.root + "/home/bin"
            try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
            // A systemd whose unit was started again 3 times long ago, and is again and again in the new release.
            let systemctl = """
                #!/bin/sh
                cd \(bin)
                [ -e restarts ] || echo 3 > restarts
                restarts=$(cat restarts)
                case $(readlink \(host.workingDirectory)/layers/core/current) in
                *1.5.0) restarts=$((restarts + 1)); echo $restarts > restarts ;;
                esac
                echo "$@" > asked
                printf '%s\\n' Id=api.service LoadState=loaded ActiveState=active SubState=running NeedDaemonReload=no \
                    NRestarts=$restarts
                """
            try (systemctl + "\n").write(toFile: bin + "/systemctl", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: bin + "/systemctl")
            try "export PATH=\(bin):$PATH\n".write(
                toFile: host.root + "/home/.bashrc", atomically: true, encoding: .utf8)
            try await fleet.approvePlan(to: "1.5.0", change: evidence("  - {name: api, unit: api.service}"))
            let held = try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            #expect(held.output.contains("api restarts: 4 -> 5"), "\(held.output)")
            #expect(try String(contentsOfFile: bin + "/asked", encoding: .utf8).hasSuffix(" api.service\n"))
            // What the restarts of the old release were does not matter to the way back.
            try await fleet.expect(
                .rolledBackVerified, "rollback", "--host", "core-1", "--as", "core-owner", "--reason", "loops")
        }
    }

    @Test func aCertificateThatEndsSoonIsNoBaselineAndARenewedOneIs() async throws {
        try await FleetFixture.with(ConnectionFaultTests.one) { fleet in
            let host = try fleet.lab.host("core-1")
            let folder = URL(filePath: host.root + "/home")
            func shell(_ text: String) throws -> Process {
                let process = Process()
                process.executableURL = URL(filePath: "/bin/sh")
                process.arguments = ["-ec", text]
                process.currentDirectoryURL = folder
                process.standardError = FileHandle.nullDevice
                try process.run()
                return process
            }
            let make =
                "openssl req -x509 -newkey rsa:2048 -nodes -keyout db.key -out db.pem -subj /CN=db -addext subjectAltName=DNS:db.test"
            func serve(days: Int) throws -> (server: Process, port: String) {
                try shell("\(make) -days \(days); rm -f port").waitUntilExit()
                let server = try shell(
                    "exec python3 -c \"$0\" \(host.address)".replacing(
                        "$0",
                        with: """
                            import socket, ssl, sys
                            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                            context.load_cert_chain('db.pem', 'db.key')
                            server = socket.create_server((sys.argv[1], 0))
                            open('port.new', 'w').write(str(server.getsockname()[1]))
                            import os; os.rename('port.new', 'port')
                            while True:
                                try:
                                    context.wrap_socket(server.accept()[0], server_side=True).recv(1)
                                except OSError:
                                    pass
                            """))
                var port = ""
                try blockUntil("the server listens") {
                    port = (try? String(contentsOf: folder.appending(path: "port"), encoding: .utf8)) ?? ""
                    return !port.isEmpty
                }
                return (server, port)
            }
            func attempt(days: Int, _ status: FleetFixture.Exit) async throws -> String {
                let (server, port) = try serve(days: days)
                defer { server.terminate() }
                let tls = "{serverName: db.test, caFile: \(folder.path)/db.pem}"
                let surface = "  - {name: db, tcp: {address: \"${address}\", port: \(port), tls: \(tls)}}"
                let text = try String(contentsOfFile: fleet.lab.planPath(to: "1.5.0"), encoding: .utf8)
                let plan = "\(fleet.folder)/tls.yaml"
                try evidence(surface)(text).write(toFile: plan, atomically: true, encoding: .utf8)
                return try await fleet.expect(status, "evidence", "try", plan, "--host", "core-1").output
            }
            let soon = try await attempt(days: 10, .held)
            #expect(soon.contains("certificateDays  9  unhealthy"), "\(soon)")
            #expect(
                soon.contains("a baseline: no: baseline-unhealthy, db reports certificateDays as 9 before any change"))
            let renewed = try await attempt(days: 400, .verified)
            #expect(renewed.contains("certificateDays  399  healthy") && renewed.contains("tlsVersion  1.3  healthy"))
        }
    }
}
