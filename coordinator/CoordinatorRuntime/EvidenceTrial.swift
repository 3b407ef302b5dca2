import AgentProtocol
public import RolloutEngine
public import UpgradeDomain

/// Takes a plan's evidence from one host once, outside of any run, claiming and changing nothing.
public struct EvidenceTrial: Sendable {
    let connector: any HostConnector
    let ledger: LedgerID
    let clock: RuntimeClock

    public init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        self.connector = connector
        self.ledger = ledger
        self.clock = clock
    }

    /// One subject as it was taken.
    public struct Taken: Sendable {
        public var capture: Capture
        /// The raw answers by surface, as text.
        public var answers: [SurfaceName: String]
        /// Why it could not be a baseline.
        public var problem: Problem?
    }

    /// One result per subject that the host speaks for, in the order of the plan.
    /// - Throws: why the host could not be asked.
    public func take(_ plan: Plan, from host: Host) async throws(ContactFailure) -> [Taken] {
        let family = EvidenceFamily(plan: plan, run: "trial")
        let session = AgentSession(channel: try await connector.connect(to: host), clock: clock)
        do throws(ContactFailure) {
            _ = try await session.open(HelloRequest(ledger: ledger, epoch: nil), timeout: HostLinks.helloTimeout)
            var taken: [Taken] = []
            for subject in family.subjects(from: host) {
                let surfaces = family.surfaces(of: subject, from: host)
                let replies = try await session.answers(to: surfaces, in: host.workingDirectory)
                let readings = surfaces.map {
                    EvidenceAssembly.reading($0, replies[$0.surface.name], rawDigest: nil)
                }
                let capture = Capture(subject: subject, takenAt: clock.wall(), surfaces: readings)
                taken.append(
                    Taken(
                        capture: capture,
                        answers: replies.mapValues { String(decoding: $0.body.elements, as: UTF8.self) },
                        problem: family.baselineProblem(of: capture, at: clock.wall())))
            }
            await session.close()
            return taken
        } catch {
            await session.close()
            throw error
        }
    }
}
