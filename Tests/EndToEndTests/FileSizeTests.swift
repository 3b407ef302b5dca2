import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// A ledger that cannot grow any more (setrlimit(2), RLIMIT_FSIZE), as on a permanently full disk.
struct FileSizeTests {
    @Test func aLedgerThatMayNotGrowStopsTheRunAndLosesNothing() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            try await fleet.expect(.verified, "inventory", "check")
            var failures = 0
            // From too little for a first event to enough for part of the run; the limit also applies to the log.
            for kibibytes in [8, 32, 64, 128, 160] {
                let verb = failures == 0 ? "start lab-1.5.0" : "resume"
                let limited = try await fleet.runVerbatim(
                    "ulimit -f $((\(kibibytes) * 1024 / 512)); exec lockflight rollout \(verb)")
                if limited.code == FleetFixture.Exit.verified.rawValue { break }
                // It reports the error and is not killed.
                #expect((1..<128).contains(limited.code), "\(kibibytes) KiB: \(limited.code) \(limited.errors)")
                #expect(!limited.errors.isEmpty)
                let status = try await fleet.run(["status"])
                if limited.errors.contains("no run") || status.code == FleetFixture.Exit.refused.rawValue { continue }
                failures += 1
                try await fleet.expect(.verified, "ledger", "verify")
            }
            #expect(failures > 0, "no limit was reached")
            try await fleet.expect(.verified, "rollout", "resume")
            for host in fleet.lab.hosts {
                #expect(try CrashTests.redeploys(fleet, host.name) == 1)
                #expect(try await fleet.version(host.name, "core") == "1.5.0")
            }
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func outputThatCannotBeWrittenIsAFailureButAClosedPipeIsNot() async throws {
        try await FleetFixture.with { fleet in
            for command in ["inventory list", "inventory list --json", "--help", "inventory check"] {
                let full = try await fleet.runVerbatim("lockflight \(command) >/dev/full")
                #expect(full.code == FleetFixture.Exit.failure.rawValue, "\(command): \(full)")
                let words = "standard output could not be written: No space left on device"
                #expect(full.errors.contains("error: \(words)"), "\(command): \(full)")
                let gone = try await fleet.runVerbatim(
                    "trap '' PIPE; { lockflight \(command); echo ended with $? >&2; } | true")
                #expect(gone.errors.contains("ended with 0"), "\(command): \(gone)")
            }
        }
    }
}
