import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// The output of operations is read in full from their hosts, while they run and afterwards.
struct OutputTests {
    private static let two = LabLayout(
        layers: ["core"], members: (1...2).map { .init(HostName("core-\($0)"), layers: ["core"]) })

    /// A redeploy that prints immediately, on both outputs, and much more than the record keeps.
    private static func printing(_ plan: String) -> String {
        plan.replacingOccurrences(
            of: "run: [bash, ./scripts/redeploy-host-stack.sh, --layer, \"${layer}\", --to, \"${to}\"]",
            with:
                "run: [bash, -c, 'echo begins; echo also >&2; seq 20000; exec bash ./scripts/redeploy-host-stack.sh --layer ${layer} --to ${to}']"
        )
    }

    @Test func anOperationsOutputIsReadInFullWhileItRunsAndAfterwards() async throws {
        try await FleetFixture.with(OutputTests.two) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: OutputTests.printing)
            try await fleet.lab.inject(.redeployHangs, on: "core-1", target: "1.5.0")
            let started = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { _ in
                try await fleet.wait(for: "the redeploy to begin") { try fleet.journal(of: "core-1").count == 1 }
                let early = try await fleet.expect(.refused, "output", "core-2")
                #expect(early.errors.contains("not started an operation on core-2"))
                async let followed = fleet.run(["output", "core-1", "--follow"])
                async let watched = fleet.run(["rollout", "watch", "--host", "core-1"])
                // The operation is still running, so the command ends because it does not wait.
                var sofar = try await fleet.expect(.verified, "output", "core-1")
                try await fleet.wait(for: "the output to come") {
                    sofar = try await fleet.run(["output", "core-1"])
                    return sofar.output.contains("20000")
                }
                #expect(sofar.output.contains("\nbegins\nalso\n1\n2\n"))
                #expect(sofar.errors.contains("still running"))
                try await fleet.lab.mend("core-1")
                let whole = try await followed
                #expect(whole.code == FleetFixture.Exit.verified.rawValue, "\(whole.errors)")
                #expect(whole.output.contains("core: 1.5.0 answers on"))
                #expect(whole.errors.contains("attempt 1: exited with 0"))
                let seen = try await watched
                #expect(seen.code == FleetFixture.Exit.verified.rawValue, "\(seen.errors)")
                #expect(seen.output.contains("    | begins\n    | also\n"))
                #expect(seen.output.contains("    | core: 1.5.0 answers on"))
                #expect(!seen.output.contains("core-2/core "))
            }
            #expect(started.code == FleetFixture.Exit.verified.rawValue, "\(started.errors)")
            let afterwards = try await fleet.expect(.verified, "output", "core-1", "--json").document()
            let output = try #require(afterwards.value(at: "/output")?.scalarText)
            #expect(output.contains("begins\nalso\n1\n") && output.contains("answers on"))
            #expect(afterwards.value(at: "/record/outputBytes")?.scalarText == "\(output.utf8.count)")
        }
    }

    @Test func aHeldRunNamesTheCommandThatShowsAllThatItsStepPrinted() async throws {
        try await FleetFixture.with(OutputTests.two) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: OutputTests.printing)
            try await fleet.lab.inject(.redeployFails, on: "core-1", target: "1.5.0")
            let held = try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            #expect(held.output.contains("lockflight output core-1 --run r-"))
            let shown = try await fleet.expect(.verified, "output")
            #expect(shown.output.contains("\nbegins\nalso\n1\n2\n"))
            #expect(shown.errors.contains("step redeploy of core-1/core, attempt 1: exited with 1"))
            let unknown = try await fleet.expect(.refused, "output", "core-9")
            #expect(unknown.errors.contains("has no host 'core-9'") && unknown.errors.contains("next: "))
            let stranger = try await fleet.expect(.refused, "output", "--operation", "r-9.core-1.core.redeploy.1")
            #expect(stranger.errors.contains("has not started an operation"))
            try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
            let away = try await fleet.expect(.unreachable, "output", "core-1")
            #expect(away.errors.contains("core-1 can not be asked"))
        }
    }
}
