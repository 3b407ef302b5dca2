import Foundation
import Subprocess
import SystemPackage
import Testing

/// Whole runs in virtual time; `make simulate` runs many more seeds in a release build.
struct SimulationTests {
    private struct Outcome {
        var code: Int32
        var output: String
    }

    /// The simulator of this build, beside the tests.
    private func simulate(_ arguments: String...) async throws -> Outcome {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(fileURLWithPath: tests).deletingLastPathComponent().appending(path: "lockflight-simulate")
            .path
        let result = try await run(
            .path(FilePath(program)), arguments: Arguments(arguments), output: .string(limit: 4_194_304),
            error: .string(limit: 65_536))
        guard case .exited(let code) = result.terminationStatus else {
            return Outcome(code: -1, output: "\(result.terminationStatus)")
        }
        return Outcome(code: code, output: result.standardOutput)
    }

    @Test func everySeedKeepsEveryPromiseAndMeetsEverySituation() async throws {
        let outcome = try await simulate("--seeds", "300", "--from", "8000")
        #expect(outcome.code == 0, "\(outcome.output.suffix(8_000))")
    }

    @Test func aSeedReplaysExactly() async throws {
        // The last one goes by signatures.
        for seed in ["46", "274", "358", "20"] {
            let first = try await simulate("--seed", seed, "--trace")
            let second = try await simulate("--seed", seed, "--trace")
            #expect(first.output.count > 1_000)
            #expect(first.output == second.output)
        }
    }

    @Test func anotherSeedIsAnotherRun() async throws {
        let first = try await simulate("--seed", "1")
        let second = try await simulate("--seed", "2")
        #expect(first.output != second.output)
    }
}
