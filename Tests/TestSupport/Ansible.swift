import Foundation

/// Ansible in a folder of its own, installed at its first use; where it can not be installed, its tests are skipped.
package enum Ansible {
    /// The folder of its programs; nil if they can not be installed.
    package static let folder: String? = {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "scripts/ansible.sh")
        let process = Process()
        process.executableURL = script
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return process.terminationStatus == 0 ? text.trimmingCharacters(in: .whitespacesAndNewlines) : nil
    }()

    package static var isInstalled: Bool { folder != nil }
    package static let reason = "needs ansible-core from PyPI; scripts/ansible.sh says why it can not be installed"

    /// The search path with its programs first.
    package static var path: String {
        (folder.map { $0 + ":" } ?? "") + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
    }
}
