import AgentProtocol
import RolloutEngine
import UpgradeDomain

extension AgentSession {
    /// Brings the plan's files to the host, which keeps them. Nothing is sent if there are none.
    func carry(_ files: [CarriedFile]) async throws(ContactFailure) {
        guard !files.isEmpty else { return }
        let request = CarryRequest(
            files: files.map { .init(name: $0.name, sha256: $0.sha256, body: Bytes(Array($0.text.utf8))) })
        let reply = try await single(.carry(request), timeout: HostWork.requestTimeout)
        guard case .carried = reply else { throw unexpected(reply, to: "carry") }
    }

    /// The raw answers of all surfaces, captured one after the other on the host, or an error.
    ///
    /// - Parameter head: the head that the host keeps as a witness, if its agent supports that.
    func answers(
        to surfaces: [SurfaceOrder], in workingDirectory: String, hiding secretFiles: [String],
        leaving head: RunHead? = nil
    ) async throws(ContactFailure) -> [SurfaceName: SurfaceReply] {
        let request = CaptureRequest(
            workingDirectory: workingDirectory,
            surfaces: surfaces.map { SurfaceRequest(name: $0.surface.name, source: $0.surface.source) },
            secretFiles: secretFiles.isEmpty ? nil : secretFiles, head: protocolVersion < 2 ? nil : head)
        let seconds = surfaces.reduce(0) { $0 + $1.surface.source.timeoutSeconds }
        var answers: [SurfaceName: SurfaceReply] = [:]
        var isComplete = false
        do {
            let stream = try await replies(
                to: .capture(request), timeout: .seconds(seconds) + HostWork.requestTimeout)
            for try await reply in stream {
                switch reply {
                case .surface(let surface): answers[surface.name] = surface
                case .captured: isComplete = true
                case .hello, .preflight, .carried, .started, .running, .output, .ended, .tombstoned, .confirmed,
                    .journal,
                    .refused:
                    throw unexpected(reply, to: "capture")
                }
            }
        } catch let failure as ContactFailure {
            throw failure
        } catch {
            throw ContactFailure(.hostUnreachable, "\(error)")
        }
        guard isComplete else { throw ContactFailure(.hostUnreachable, "the capture ended before its last answer") }
        return answers
    }
}
