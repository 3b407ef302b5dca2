import Foundation
import OperatorCommands
import SafeText
import Subprocess

/// The operator's own Ansible, which alone knows what an inventory of it means.
///
/// It runs in the current folder, so that its `ansible.cfg` applies. Inventory plugins, scripts and vault passwords run as
/// they do for every `ansible`.
package struct AnsibleProgram: Sendable {
    package static let timeoutSeconds = 600
    /// Of the inventory; one host with its variables takes a few thousand bytes.
    static let outputBytes = 256 << 20
    static let errorBytes = 4 << 20
    /// How many lines of its complaint are shown at most.
    static let shownLines = 12

    /// Variables of the environment beside the command's own.
    private let environment: [String: String]

    private let timeout: Duration

    package init(environment: [String: String] = [:], timeout: Duration = .seconds(AnsibleProgram.timeoutSeconds)) {
        (self.environment, self.timeout) = (environment, timeout)
    }

    /// The JSON of `ansible-inventory --list`.
    /// - Parameter path: a file or folder, as after `-i`.
    package func list(inventory path: String) async throws -> [UInt8] {
        try await run("ansible-inventory", ["--list", "-i", path], inventory: path)
    }

    /// What templates stand for, as JSON: by host and variable. `ansible-inventory` prints them as they were written.
    ///
    /// - Parameters:
    ///   - names: the variables of each host.
    ///   - path: a file or folder, as after `-i`.
    package func values(of names: [String: [String]], inventory path: String) async throws -> [UInt8] {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appendingPathComponent("lockflight-\(UUID().uuidString)")
        try files.createDirectory(at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? files.removeItem(at: folder) }
        let wanted = folder.appendingPathComponent("wanted.json")
        try JSONEncoder().encode(["lockflight_wanted": names]).write(to: wanted)
        let arguments = try String(decoding: JSONEncoder().encode(["msg": AnsibleProgram.template]), as: UTF8.self)
        let output = try await run(
            "ansible",
            [
                "localhost", "-i", path, "-c", "local", "-m", "ansible.builtin.debug", "-e", "@\(wanted.path)", "-a",
                arguments,
            ], inventory: path)
        guard let start = output.firstIndex(of: UInt8(ascii: "{")),
            let answer = try? JSONDecoder().decode(Answered.self, from: Data(output[start...]))
        else { throw AnsibleProgram.failure("ansible", path, "its answer is not what its debug module prints") }
        return Array(answer.msg.utf8)
    }

    private struct Answered: Decodable {
        var msg: String
    }

    /// Ansible fills in the variables of a host when they are read through `hostvars`.
    private static let template = """
        {% set all = {} %}{% for host, names in lockflight_wanted.items() %}{% set own = {} %}{% for name in names %}\
        {% set _ = own.update({name: hostvars[host][name] | default(none)}) %}{% endfor %}\
        {% set _ = all.update({host: own}) %}{% endfor %}{{ all | to_json }}
        """

    private func run(_ program: String, _ arguments: [String], inventory path: String) async throws -> [UInt8] {
        // A file that it can not read would be left out in silence.
        let settings = [
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True", "ANSIBLE_NOCOLOR": "True",
            "ANSIBLE_FORCE_COLOR": "False",
            "ANSIBLE_STDOUT_CALLBACK": "minimal", "ANSIBLE_DEVEL_WARNING": "False",
        ].merging(environment) { $1 }
        do {
            let ended = try await ProgramGroup.run(
                [program] + arguments, settings, within: timeout, outputBytes: AnsibleProgram.outputBytes,
                errorBytes: AnsibleProgram.errorBytes)
            switch ended.status {
            case .exited(0): return ended.output
            case .exited(127):
                throw FleetAccessError(
                    "\(program) is not installed, or not in PATH",
                    consequence:
                        "Nothing was stored. Its saved output (ansible-inventory --list) can be imported as well.",
                    next: .program(words: ["apt-get", "install", "ansible-core"]))
            case .exited, .signaled:
                let said = ended.errors + ended.output.prefix(AnsibleProgram.errorBytes)
                throw AnsibleProgram.failure(
                    program, path, AnsibleProgram.complaint(String(decoding: said, as: UTF8.self)))
            }
        } catch ProgramGroup.Failure.late {
            throw AnsibleProgram.failure(program, path, "it took longer than \(timeout.components.seconds) s")
        } catch ProgramGroup.Failure.tooLong {
            throw AnsibleProgram.failure(program, path, "it printed more than \(AnsibleProgram.outputBytes) bytes")
        } catch let error as SubprocessError {
            throw AnsibleProgram.failure(program, path, "\(error)")
        }
    }

    /// The last lines, which name the cause.
    private static func complaint(_ output: String) -> String {
        let lines = output.lines.filter { !$0.trimmed.isEmpty }
        return lines.isEmpty ? "it says nothing" : lines.suffix(shownLines).joined(separator: "\n")
    }

    private static func failure(_ program: String, _ path: String, _ words: String) -> FleetAccessError {
        FleetAccessError(
            "\(program) can not read \(path): \(words)", consequence: "Nothing was stored.",
            next: .program(words: ["ansible-inventory", "--list", "-i", path]), isRefusal: true)
    }
}
