import FleetAccess
import Foundation
import TestSupport
import Testing

/// Ansible and what it starts do not outlive the import.
struct ProgramGroupTests {
    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/lockflight-group-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    private func program(_ script: String, in folder: String, timeout: Duration = .seconds(600)) throws
        -> AnsibleProgram
    {
        try "#!/bin/sh\n\(script)\n".write(
            toFile: "\(folder)/ansible-inventory", atomically: true, encoding: .utf8)
        chmod("\(folder)/ansible-inventory", 0o700)
        return AnsibleProgram(environment: ["PATH": "\(folder):/usr/bin:/bin"], timeout: timeout)
    }

    private func process(_ file: String) -> pid_t? {
        (try? String(contentsOfFile: file, encoding: .utf8)).flatMap {
            pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
    }

    private func isGone(_ process: pid_t) -> Bool { kill(process, 0) != 0 && errno == ESRCH }

    @Test func whatItPrintsIsReadAndItHasNoInput() async throws {
        try await withFolder { folder in
            let program = try program("cat; echo \"$2 $3\"; echo \"$ANSIBLE_NOCOLOR\" >&2", in: folder)
            let printed = try await program.list(inventory: "a b")
            #expect(String(decoding: printed, as: UTF8.self) == "-i a b\n")
            let failing = try self.program("echo out; echo why >&2; exit 3", in: folder)
            let error = await #expect(throws: FleetAccessError.self) { try await failing.list(inventory: "x") }
            #expect(error?.message == "ansible-inventory can not read x: why\nout")
        }
    }

    @Test func aProgramThatTakesTooLongIsEndedWithWhatItStarted() async throws {
        try await withFolder { folder in
            let script = "sleep 600 & echo $! >\(folder)/child; exec sleep 600"
            let slow = try program(script, in: folder, timeout: .seconds(5))
            let error = await #expect(throws: FleetAccessError.self) { try await slow.list(inventory: "x") }
            #expect(error?.message == "ansible-inventory can not read x: it took longer than 5 s")
            let child = try #require(process("\(folder)/child"))
            try await eventually("the child to be ended", within: .seconds(300)) { isGone(child) }
        }
    }

    @Test func anImportThatIsCancelledEndsAnsible() async throws {
        try await withFolder { folder in
            let hanging = try program("echo $$ >\(folder)/own; exec sleep 600", in: folder)
            let asking = Task { try await hanging.list(inventory: "x") }
            try await eventually("it to hang", within: .seconds(300)) { process("\(folder)/own") != nil }
            let own = try #require(process("\(folder)/own"))
            asking.cancel()
            _ = await asking.result
            try await eventually("it to be ended", within: .seconds(300)) { isGone(own) }
        }
    }
}
