import ArgumentParser
import Ledger
import OperatorCommands
import UpgradeDomain

/// The run that a command is about; the last one started if it is left out.
struct RunArgument: ParsableArguments {
    @Argument(help: "The run's id or its first characters. (default: the last one started)") var run: String?
}

/// The run as an option, for commands whose argument is a host.
struct RunOption: ParsableArguments {
    @Option(name: .long, help: "The run's id or its first characters. (default: the last one started)") var run: String?
}

extension Context {
    func control(_ argument: RunArgument, readOnly: Bool = false) async throws -> RunControl {
        try await control(argument.run, readOnly: readOnly)
    }

    func control(_ option: RunOption, readOnly: Bool = false) async throws -> RunControl {
        try await control(option.run, readOnly: readOnly)
    }

    private func control(_ named: String?, readOnly: Bool) async throws -> RunControl {
        let ledger = readOnly ? try await existingLedger() : try await ledger()
        let chosen: String? = if let named { named } else { try await ledger.runs().first?.id.rawValue }
        guard let run = chosen else {
            throw CommandError(.refused, "the ledger has no runs", next: .listPlans)
        }
        return try await RunControl(self, ledger, run: run)
    }
}
