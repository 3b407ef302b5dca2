import AgentProtocol
import RolloutEngine
package import UpgradeDomain

/// Captures a plan's evidence from one host once, outside any run, without claiming or changing anything.
package struct EvidenceTrial: Sendable {
    private let reader: FleetReader

    package init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// The capture of one subject.
    package struct Taken: Sendable {
        package var capture: Capture
        /// The raw answers by surface, as text.
        package var answers: [SurfaceName: String]
        /// Why it could not be a baseline.
        package var problem: Problem?
    }

    /// One result per subject that is captured from the host, in the order of the plan.
    /// - Throws: why the host could not be asked.
    package func take(_ plan: Plan, from host: Host) async throws(ContactFailure) -> [Taken] {
        let family = EvidenceFamily(plan: plan, run: "trial")
        return try await reader.read(host) { session, _ throws(ContactFailure) in
            try await session.carry(plan.files ?? [])
            var taken: [Taken] = []
            for subject in plan.subjects(from: host) {
                let surfaces = family.surfaces(of: subject, from: host)
                let replies = try await session.answers(
                    to: surfaces, in: subject.workingDirectory(on: host),
                    hiding: family.secretFiles(on: host))
                let readings = surfaces.map {
                    EvidenceAssembly.reading($0, replies[$0.surface.name], rawDigest: nil)
                }
                let wall = reader.clock.wall()
                let capture = Capture(subject: subject, takenAt: wall, surfaces: readings)
                taken.append(
                    Taken(
                        capture: capture,
                        answers: replies.mapValues { String(decoding: $0.body.elements, as: UTF8.self) },
                        problem: family.baselineProblem(of: capture, at: wall)))
            }
            return taken
        }
    }
}
