import Foundation
import UpgradeDomain

@testable import LabFleet

/// The state of a lab: its files, its processes and what its services report.
///
/// Two equal fingerprints prove that a test left a lab as it found it. Left out is what changes by itself: the
/// services' own log and store, the time of their last probe and sshd's log; and Lockflight's files on a host, which
/// ``forget(_:)`` removes.
struct LabFingerprint: Hashable, Sendable {
    /// Maps a path in the lab's folder to kind, mode and content; for a pid file, the command line of its process.
    private var files: [String: String] = [:]
    private var commandLines: [String]
    /// Maps host and layer to what the service reports, without times.
    private var answers: [String: [String]] = [:]

    init(of lab: Lab) async throws {
        commandLines = LabProcess.belonging(to: lab.folder).map { LabProcess.commandLine(of: $0) }.sorted()
        let paths = FileManager.default.enumerator(atPath: lab.folder)
        while let path = paths?.nextObject() as? String {
            if !LabFingerprint.isVolatile(path) { files[path] = try LabFingerprint.content("\(lab.folder)/\(path)") }
        }
        let services = lab.hosts.flatMap { host in host.layers.map { (host, $0) } }
        let bodies = try await LabFingerprint.answers(of: services)
        for ((host, layer), bodies) in zip(services, bodies) { answers["\(host.name)/\(layer)"] = bodies }
    }

    /// Removes the agent and its state from every host.
    static func forget(_ lab: Lab) throws {
        for host in lab.hosts {
            for folder in ["\(host.root)/home", host.stateDirectory] {
                try FileManager.default.removeItem(atPath: folder)
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            }
        }
    }

    private static func isVolatile(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        return parts.last == "sshd.log" || parts.last == "service.log" || parts.last == "readiness.json"
            || parts.last?.hasPrefix("readiness.json.") == true || parts.last?.hasPrefix("store.db") == true
    }

    private static func content(_ path: String) throws -> String {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        let mode = "\(attributes[.type] ?? "") \(attributes[.posixPermissions] ?? "")"
        switch attributes[.type] as? FileAttributeType {
        case .typeSymbolicLink: return "\(mode) \(try FileManager.default.destinationOfSymbolicLink(atPath: path))"
        case .typeDirectory: return mode
        default:
            let text = try LabFile.read(path)
            guard path.hasSuffix(".pid"), let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
                return "\(mode) \(text)"
            }
            return "\(mode) \(LabProcess.commandLine(of: pid))"
        }
    }

    /// One body per path for each service; one curl process requests them all.
    private static func answers(of services: [(LabHost, LayerName)]) async throws -> [[String]] {
        let paths = ["/health", "/version", "/api/v1/platform/services", "/api/v1/observability/readiness"]
        let urls = services.flatMap { host, layer in paths.map { host.baseURL(in: layer) + $0 } }
        let end = "\u{1e}"
        let asked = try await LabCommand.require(
            "curl", ["-sS", "--fail-early", "--max-time", "20", "-w", end] + urls)
        let bodies = asked.replacing(/"(generatedAt|startedAt|pid)": ("[^"]*"|[0-9.]+)/, with: "")
            .split(separator: end, omittingEmptySubsequences: false).map(String.init)
        guard bodies.count == urls.count + 1 else { throw LabError(.neverAnswered, "the services do not all answer") }
        return stride(from: 0, to: urls.count, by: paths.count).map { Array(bodies[$0..<($0 + paths.count)]) }
    }
}
